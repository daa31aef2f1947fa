"""What may be entered and what must be left."""
