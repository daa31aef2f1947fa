"""THUNES: one command that runs, watches and rescues an autonomous Binance spot bot."""

__version__ = "0.1.0"
