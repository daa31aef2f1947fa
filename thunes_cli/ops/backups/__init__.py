"""Backups that restore, proven: consistent under a running daemon, signed, compressed, encrypted where asked."""
