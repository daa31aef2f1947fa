"""The reference of the settings as text: ``docs/settings.md`` and ``.env.example``, made of the settings' classes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from thunes_cli.config.fields import as_text
from thunes_cli.config.settings import CHAPTERS, Settings, unit_of

_DOCUMENT = """\
# Settings

<!-- Generated from thunes_cli/config/settings.py by `python -m thunes_cli.cli.generate`; edit there. -->

None is needed on the simulator. A setting is looked for in the process's environment, then in the file named by
`--env-file` or `THUNES_ENV_FILE`, else in the home's own `.env`; the first hit wins, an empty value counts as unset.
`thunes config show` says what is in force and where each value came from, `thunes config check` whether it would trade.

The file is refused (exit code 78) when others can read it, when it belongs to another user, when a key is given twice,
and when a key is one or two letters off one of these; keys of other programs are left alone. Nothing in it is expanded:
`$` is a character like any other. Relative paths are refused.

With the embedded exchange (`ENVIRONMENT=sim` without `BINANCE_REST_URL`) no key is used but its own. On the testnet and
live, an address of the other is refused, and so is an unencrypted one that is not this machine.

Together they must make sense: `MAX_LOSS_PER_TRADE` reaches `DEFAULT_QUOTE_AMOUNT`, else every entry is refused;
`DEFAULT_QUOTE_AMOUNT` × (1 − `STOP_LOSS_PCT`/100) × 0.98 reaches the symbol's minimum notional, else what is bought
could not be sold after a stop; `SMA_FAST` is below `SMA_SLOW`, `RSI_OVERSOLD` below `RSI_OVERBOUGHT`; a key has
exactly one of secret and private key file; `TELEGRAM_BOT_TOKEN` and `TELEGRAM_CHAT_ID` come together.

Not settings, because they say where settings are or how to answer: `THUNES_HOME`, `THUNES_ENV_FILE`, `THUNES_FORMAT`.
"""

_EXAMPLE = """\
# Settings of THUNES with their defaults: safe, and they trade as they stand on the simulator.
# Copy the lines you want to change into the .env of the home (`thunes config show` says where), and keep that
# file to yourself: chmod 600. An empty value means unset. All of it is explained in docs/settings.md.
"""

_LIMITS = {"gt": "more than {}", "ge": "at least {}", "lt": "less than {}", "le": "at most {}"}


def settings_markdown() -> str:
    """The text of ``docs/settings.md``."""
    return _DOCUMENT + "".join(f"\n## {chapter.__doc__}\n\n{_table(chapter)}" for chapter in CHAPTERS)


def env_example() -> str:
    """The text of ``.env.example``: every setting with its default, under its meaning and unit."""
    return _EXAMPLE + "".join(
        f"\n# --- {chapter.__doc__} ---\n\n" + "\n".join(_lines(chapter)) + "\n" for chapter in CHAPTERS
    )


def _fields(chapter: type) -> Iterator[tuple[str, FieldInfo, str]]:
    defaults = Settings()
    for name, field in chapter.model_fields.items():  # type: ignore[attr-defined]  # a chapter is a settings class
        default = "" if field.default_factory else as_text(getattr(defaults, name))
        yield name.upper(), field, default


def _table(chapter: type) -> str:
    rows = [
        f"| `{name}` | {f'`{default}`' if default else ''} | {_values(field)} | {field.description} |"
        for name, field, default in _fields(chapter)
    ]
    return "\n".join(["| setting | default | unit, limits | meaning |", "|---|---|---|---|", *rows, ""])


def _lines(chapter: type) -> Iterator[str]:
    for name, field, default in _fields(chapter):
        meaning = (field.description or "").replace("`", "")
        values = _values(field).replace("`", "")
        yield f"# {meaning}" + (f" [{values}]" if values else "")
        yield f"{name}={default}"


def _values(field: FieldInfo) -> str:
    """Unit and limits, or the words to choose from."""
    bounds = {
        bound: as_text(getattr(limit, bound)) for limit in field.metadata for bound in _LIMITS if hasattr(limit, bound)
    }
    limits = [_LIMITS[bound].format(text) for bound, text in bounds.items()]
    if {"ge", "le"} <= bounds.keys():
        limits = [f"{bounds['ge']} to {bounds['le']}"]
    choices = re.findall(r"'([^']+)'", str(field.annotation)) if "Literal" in str(field.annotation) else []
    if isinstance(field.annotation, type) and hasattr(field.annotation, "__members__"):
        choices = [str(member) for member in field.annotation]
    return ", ".join(filter(None, [" or ".join(f"`{choice}`" for choice in choices), unit_of(field), *limits]))
