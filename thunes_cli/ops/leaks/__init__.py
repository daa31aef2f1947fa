"""Looking for secrets where none belong: git histories, work trees, logs, backups."""
