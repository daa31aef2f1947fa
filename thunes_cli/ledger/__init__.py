"""The one SQLite database of a home."""
