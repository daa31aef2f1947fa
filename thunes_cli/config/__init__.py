"""Where state lives, what is set, and how secrets are kept."""
