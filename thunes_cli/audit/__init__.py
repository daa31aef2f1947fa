"""The append-only trail of every decision and change."""
