"""Settings that are sound each by itself but not together. Pure; what needs the exchange's rules is checked in ops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from thunes_cli.config.faults import Fault
from thunes_cli.config.settings import DEFAULT_ORIGIN, Settings
from thunes_cli.model import Environment, plain

URLS = ("BINANCE_REST_URL", "BINANCE_STREAM_URL", "BINANCE_WS_API_URL", "BINANCE_SAPI_URL")
KEY_PREFIXES = {Environment.TESTNET: "BINANCE_TESTNET_", Environment.LIVE: "BINANCE_"}


def check_limits(settings: Settings) -> list[Fault]:
    """Everything about these settings that contradicts itself, the setting to change first named first."""
    return [
        *_check_amounts(settings),
        *_check_strategy(settings),
        *_check_keys(settings),
        *_check_alerts(settings),
        *_check_addresses(settings),
    ]


def _fault(settings: Settings, names: tuple[str, ...], what: str) -> Fault:
    """A fault located at the first of the settings that somebody gave."""
    given = [settings.origin(name) for name in names if settings.origin(name) != DEFAULT_ORIGIN]
    return Fault(names, what, given[0] if given else "")


def _check_amounts(settings: Settings) -> Iterator[Fault]:
    if settings.max_loss_per_trade < settings.default_quote_amount:
        yield _fault(
            settings,
            ("MAX_LOSS_PER_TRADE", "DEFAULT_QUOTE_AMOUNT"),
            f"must be at least DEFAULT_QUOTE_AMOUNT, {plain(settings.default_quote_amount)}"
            f" (is {plain(settings.max_loss_per_trade)}), or every entry is refused",
        )


def _check_strategy(settings: Settings) -> Iterator[Fault]:
    if settings.sma_fast >= settings.sma_slow:
        what = f"must be less than SMA_SLOW, {settings.sma_slow} (is {settings.sma_fast})"
        yield _fault(settings, ("SMA_FAST", "SMA_SLOW"), what)
    if settings.rsi_oversold >= settings.rsi_overbought:
        what = f"must be less than RSI_OVERBOUGHT, {plain(settings.rsi_overbought)} (is {plain(settings.rsi_oversold)})"
        yield _fault(settings, ("RSI_OVERSOLD", "RSI_OVERBOUGHT"), what)


def _check_keys(settings: Settings) -> Iterator[Fault]:
    prefix = KEY_PREFIXES.get(settings.environment)
    if prefix is None:
        return
    key, secret, file = f"{prefix}API_KEY", f"{prefix}API_SECRET", f"{prefix}PRIVATE_KEY_FILE"
    has_key = settings.value(key) is not None
    signers = [name for name in (file, f"{prefix}PRIVATE_KEY", secret) if settings.value(name) is not None]
    if len(signers) > 1:
        kinds = "this (Ed25519) or {} (HMAC)" if signers[1] == secret else "this or {}"
        yield _fault(settings, tuple(signers), f"give either {kinds.format(signers[1])}, not both")
    if has_key and not signers:
        yield _fault(settings, (key,), f"needs {secret} or {file} beside it")
    if signers and not has_key:
        yield _fault(settings, (signers[0],), f"needs {key} beside it")


def _check_alerts(settings: Settings) -> Iterator[Fault]:
    if (settings.telegram_bot_token is None) != (settings.telegram_chat_id is None):
        given, missing = ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID")
        if settings.telegram_bot_token is None:
            given, missing = missing, given
        # The one that is given is sound, and must not fall back to nothing with the fault.
        fault = _fault(settings, (given,), f"is not set, but {given} is: no alert would arrive")
        yield replace(fault, settings=(missing,))


def _check_addresses(settings: Settings) -> Iterator[Fault]:
    """Keys of one environment must not travel to the exchange of another: least of all test keys to production."""
    for name in URLS:
        address = settings.value(name)
        belongs = _environment_of(urlsplit(address).hostname or "") if address else None
        if belongs is not None and belongs is not settings.environment:
            what = f"is an address of {belongs}, and ENVIRONMENT is {settings.environment}"
            yield _fault(settings, (name, "ENVIRONMENT"), what)


def _environment_of(host: str) -> Environment | None:
    """Whose host it is; None for one that is not Binance's. Demo mode is neither."""
    if host == "testnet.binance.vision" or host.endswith(".testnet.binance.vision"):
        return Environment.TESTNET
    if host.endswith(("binance.com", "binance.vision", "binance.us")) and not host.startswith("demo-"):
        return Environment.LIVE
    return None
