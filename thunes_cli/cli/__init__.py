"""The thunes command."""
