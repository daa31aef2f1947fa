"""systemd units, timers, cron lines and log rotation for one home."""
