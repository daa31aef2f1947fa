"""The runbook's daily, weekly and monthly looks, as named checks of what is recorded."""
