"""Spans and moments as they are typed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from bot_home import BotHome
from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.cli.durations import parse_duration, parse_since
from thunes_cli.errors import UsageFault

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("90m", 5400), ("72h", 259200), ("7d", 604800), ("2w", 1209600), ("1h30m", 5400), (" 3H ", 10800)],
)
def test_spans(text: str, seconds: int) -> None:
    """A number and a unit, or several of them."""
    assert parse_duration(text, option="--stale") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "72", "h", "-1h", "1.5h", "72x", "1h 30m", "٣h", "9" * 30 + "d", "1y"])
def test_what_is_no_span(text: str) -> None:
    """2, naming the option, with examples; a century is the limit."""
    with pytest.raises(UsageFault) as caught:
        parse_duration(text, option="--stale")

    assert "--stale" in caught.value.message
    assert "--stale 72h" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("today", datetime(2026, 3, 10, tzinfo=UTC)),
        ("24h", datetime(2026, 3, 9, 15, 30, tzinfo=UTC)),
        ("7d", datetime(2026, 3, 3, 15, 30, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("all", datetime(1970, 1, 1, tzinfo=UTC)),
        ("99w", NOW - timedelta(weeks=99)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    """Since midnight, back from now, a day, a time with an offset, the beginning."""
    assert parse_since(text, option="--since").begins(NOW) == moment


@pytest.mark.parametrize(
    ("text", "why", "hint"),
    [
        ("2026-03-01T12:00:00", "has no UTC offset", "2026-03-01T12:00:00Z"),
        ("yesterday", "neither a span nor a moment", "today"),
        ("2026-02-30", "neither a span nor a moment", "today"),
        ("", "neither a span nor a moment", "today"),
    ],
)
def test_what_is_no_moment(text: str, why: str, hint: str) -> None:
    """2, with what could be meant."""
    with pytest.raises(UsageFault, match=why) as caught:
        parse_since(text, option="--since")

    assert hint in caught.value.hint


def test_the_future_is_refused() -> None:
    """Nothing has happened since tomorrow; the answer says what time it is."""
    with pytest.raises(UsageFault, match="yet to come: it is 2026-03-10 15:30:00Z"):
        parse_since("2026-03-11", option="--since").begins(NOW)


@given(st.text(max_size=20))
def test_anything_typed_is_a_moment_or_a_usage_error(text: str) -> None:
    """No text ends in a traceback, and no moment lies ahead."""
    try:
        moment = parse_since(text, option="--since").begins(NOW)
    except UsageFault:
        return
    assert moment <= NOW


@pytest.mark.parametrize(
    "command",
    [("positions", "list", "--stale", "soon"), ("orders", "list", "--since", "soon"), ("pnl", "--since", "soon")],
    ids=" ".join,
)
def test_a_bad_span_is_a_usage_error(bot: BotHome, command: tuple[str, ...]) -> None:
    """2 before anything is read."""
    answer = bot.ask(*command, "--json")

    assert answer.code == 2
    assert answer.codes == ["usage"]
