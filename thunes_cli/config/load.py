"""From files and environment to :class:`Settings`, with everything that is wrong reported at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from thunes_cli.config.faults import Fault, SettingsInvalid
from thunes_cli.config.layer import Entry, Layer, Place
from thunes_cli.config.limits import check_limits
from thunes_cli.config.secrets import Secret, redact_from_now_on
from thunes_cli.config.settings import NAMES, PRIVATE_KEYS, SECRETS, Settings
from thunes_cli.config.source import SecretStoreUnavailable, Source
from thunes_cli.config.sources import sources_of
from thunes_cli.model import Environment

FALLBACK = "fallback"
_LONGEST_SHOWN = 60
_INDISPENSABLE = frozenset({"BINANCE_REST_URL"})  # a guess at where the exchange is would be worse than no start

_NOT_REACHED = "default_factory_not_called"  # a default that depends on another setting, which is the one wrong
_SENTENCES = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "int": "must be a whole number",
    "decimal": "must be a number",
    "float": "must be a number",
    "finite": "must be a number",
    "bool": "must be true or false",
    "enum": "must be {expected}",
    "literal": "must be {expected}",
    "value": "{error}",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings that can be used, and what had to be replaced to get them (nothing, unless loaded ``relaxed``)."""

    settings: Settings
    problems: tuple[Fault, ...] = ()


def load_settings(
    home: Path | None,
    environ: Mapping[str, str],
    *,
    env_file: Path | None = None,
    relaxed: bool = False,
    environment: Environment | None = None,
    sources: Sequence[Source] | None = None,
) -> Loaded:
    """The settings in force.

    Args:
        home: whose ``.env`` is read, when ``env_file`` does not name another file.
        environ: the process's environment; it wins over any file.
        env_file: ``--env-file`` or ``THUNES_ENV_FILE``.
        relaxed: for a start that may only sell what is held: a setting that is wrong falls back to its default and is
            returned as a problem; then ``MAX_POSITIONS`` is 0, so that no rule lets an entry through.
        environment: with ``relaxed``, the home's own, in case that setting is what cannot be read.
        sources: where to look, first hit wins; None: everywhere there is (:mod:`thunes_cli.config.sources`).

    Raises:
        SettingsInvalid: with every problem there is; when relaxed, only if the exchange's address is wrong.
        SecretStoreUnavailable: a store of secrets cannot be asked (13); when relaxed, that is a problem like another.
    """
    found = sources if sources is not None else sources_of(Place(environ, home, env_file), NAMES)
    layers = [_layer(source, relaxed=relaxed) for source in found]
    entries: dict[str, Entry] = {}
    for layer in layers:
        for name, entry in layer.entries.items():
            entries.setdefault(name, entry)
    settings, wrong = _build(entries)
    redact_from_now_on(settings.all_secrets)
    suspects = {name for fault in wrong for name in fault.settings}
    together = [fault for fault in check_limits(settings) if not suspects.intersection(fault.settings)]
    faults = (*(fault for layer in layers for fault in layer.faults), *wrong, *together)
    if not faults:
        return Loaded(settings)
    suspects.update(name for fault in together for name in fault.settings)
    if not relaxed or suspects & _INDISPENSABLE:
        raise SettingsInvalid(faults)
    return Loaded(_fall_back(entries, without=suspects, environment=environment), faults)


def _layer(source: Source, *, relaxed: bool) -> Layer:
    try:
        return source.read()
    except SecretStoreUnavailable as error:
        if not relaxed:
            raise
        return Layer(faults=(Fault((), error.message),))


def _build(entries: Mapping[str, Entry]) -> tuple[Settings, list[Fault]]:
    """Settings of all entries that are valid by themselves, and what is wrong with the others."""
    faults = [
        Fault((name,), "holds a character that cannot be seen (was it pasted with something else?)", entry.origin)
        for name, entry in entries.items()
        if name in NAMES and name not in PRIVATE_KEYS and not entry.text.isprintable()
    ]
    visible = _without(entries, faults)
    try:
        return _settings(visible), faults
    except ValidationError as error:
        details = [dict(detail) for detail in error.errors(include_url=False)]
        faults += [_explain(detail, entries) for detail in details if detail["type"] != _NOT_REACHED]
    return _settings(_without(visible, faults)), faults


def _without(entries: Mapping[str, Entry], faults: Sequence[Fault]) -> dict[str, Entry]:
    wrong = {name for fault in faults for name in fault.settings}
    return {name: entry for name, entry in entries.items() if name not in wrong}


def _settings(entries: Mapping[str, Entry]) -> Settings:
    ours = {name: entry for name, entry in entries.items() if name in NAMES}
    values: dict[str, Any] = {name.lower(): entry.text for name, entry in ours.items()}
    settings = Settings(**values)
    others = {name: entry.text for name, entry in entries.items() if name not in ours}
    channels = {
        channel: {name: Secret(text) for name, text in _belonging_to(channel, others).items()}
        for channel in settings.notifiers
    }
    return settings.with_origins(
        {name: entry.origin for name, entry in ours.items()},
        strategy_extras=_belonging_to(settings.strategy, others),
        notifier_extras=channels,
    )


def _belonging_to(plug_in: str, others: Mapping[str, str]) -> dict[str, str]:
    """The settings that begin with the name of somebody else's strategy or channel."""
    prefix = re.sub(r"\W", "_", plug_in).upper() + "_"
    return {name: text for name, text in others.items() if name.startswith(prefix)}


def _fall_back(entries: Mapping[str, Entry], *, without: set[str], environment: Environment | None) -> Settings:
    kept = {name: entry for name, entry in entries.items() if name not in without}
    if environment is not None and "ENVIRONMENT" not in kept:
        kept["ENVIRONMENT"] = Entry(environment, FALLBACK)
    return _settings(kept | {"MAX_POSITIONS": Entry("0", FALLBACK)})


def _explain(detail: dict[str, Any], entries: Mapping[str, Entry]) -> Fault:
    """One of pydantic's complaints in our words; the value is shown unless it is, or could hold, a secret."""
    name = str(detail["loc"][0]).upper()
    kind = str(detail["type"])
    sentence = _SENTENCES.get(kind) or _SENTENCES.get(kind.partition("_")[0]) or "is not valid"
    context = dict(detail.get("ctx", {}))
    if "expected" in context:
        context["expected"] = context["expected"].replace("'", "")
    what = sentence.format(**context)
    entry = entries.get(name)
    if entry is None:
        return Fault((name,), what)
    if name not in SECRETS and "@" not in entry.text:  # an address may carry a password
        what += f" (is {_shown(entry.text)})"
    return Fault((name,), what, entry.origin)


def _shown(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
