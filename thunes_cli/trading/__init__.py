"""From a signal to a booked position."""
