"""The process that trades."""
