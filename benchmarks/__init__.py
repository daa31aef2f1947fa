"""How long the commands take and how much memory, as ratios to a bare interpreter on the same machine."""
