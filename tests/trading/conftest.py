"""Fixtures of the trading room."""

from trading_room import holding, room

__all__ = ["holding", "room"]
