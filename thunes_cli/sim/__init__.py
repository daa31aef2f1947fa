"""The embedded exchange: a process of its own that speaks Binance's protocol."""
