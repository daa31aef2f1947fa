"""Candles, indicators and strategies."""
