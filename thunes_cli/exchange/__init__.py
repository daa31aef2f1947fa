"""Talking to a spot exchange and understanding its answers."""
