"""What a person reads: header, paragraphs, digests, pieces; and what an exchange's text cannot do to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.alerts.message import MOST_PIECES, Origin, draft, pieces, units
from thunes_cli.ledger.alerts import Alert, Phase, Severity

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HERE = Origin("live", Path("/var/lib/thunes"))


def alert(number: int = 1, text: str = "It happened. Next: thunes status", *, kind: str = "job_failed") -> Alert:
    moment = NOON + timedelta(seconds=number)
    return Alert(number, kind, "", Phase.EVENT, Severity.WARNING, text, None, moment, moment)


def test_a_message_says_who_speaks_when_what_and_what_to_type() -> None:
    """Severity, environment, kind, home, time, text, and the next command on a line of its own."""
    made = draft([alert()], HERE)

    assert made.subject == "WARNING live: job_failed"
    assert made.text.splitlines() == [
        "WARNING live: job_failed",
        "home /var/lib/thunes",
        "",
        "2026-03-10 12:00:01Z",
        "It happened.",
        "Next: thunes status",
    ]


def test_a_storm_shows_its_beginning_and_its_end() -> None:
    """Of a kind that repeats the first two and the last, and how many lie between; other kinds in full."""
    storm = [alert(number, f"failure {number}") for number in range(1, 1001)]
    made = draft([*storm, alert(1001, "banned", kind="ban")], HERE)

    assert made.subject == "WARNING live: job_failed, ban (1001 alerts)"
    for shown in ("failure 1\n", "failure 2\n", "997 more of job_failed", "failure 1000\n", "banned"):
        assert shown in made.text
    assert "failure 3\n" not in made.text
    assert units(made.text) < 4096


def test_the_exchanges_words_cannot_forge_ours() -> None:
    """Control characters, escapes and what turns text around are dots; letters, symbols and emoji stay."""
    text = draft([alert(text="bad\x1b[31m \r\x00 \u202egnirts\u2066 \u200b币安 ₿ 🚀 é")], HERE).text

    assert "bad·[31m ·· ·gnirts· ·币安 ₿ 🚀 é" in text


@given(text=st.text(max_size=3000), longest=st.integers(200, 1200))
def test_pieces_fit_and_lose_nothing_but_white_space(text: str, longest: int) -> None:
    """Each piece fits, counted as the channel may count; together they are the text, unless it takes too many."""
    found = pieces(text, longest)

    assert all(units(piece) <= longest for piece in found)
    assert len(found) <= MOST_PIECES
    if len(found) == 1:
        assert found == [text]
        return
    bodies = [piece.partition("\n")[2] for piece in found]
    assert [piece.partition("\n")[0] for piece in found] == [f"({n}/{len(found)})" for n in range(1, len(found) + 1)]
    if "cut here" not in found[-1]:
        assert "".join("".join(bodies).split()) == "".join(text.split())


def test_pieces_end_at_lines_or_words_and_count_as_telegram_does() -> None:
    """4,096 units are one piece, one more are two; an emoji is two units and is never torn apart."""
    assert pieces("x" * 4096, 4096) == ["x" * 4096]
    assert len(pieces("x" * 4097, 4096)) == 2
    assert pieces("🚀" * 2048, 4096) == ["🚀" * 2048]
    assert len(pieces("🚀" * 2049, 4096)) == 2

    lines = pieces("\n".join(f"line {number} of a long message" for number in range(300)), 4096)

    assert all(piece.endswith("message") for piece in lines)
    assert pieces("y" * 100_000, None) == ["y" * 100_000]


def test_what_takes_too_many_pieces_says_where_the_rest_is() -> None:
    """Four pieces at most: an alert is no file transfer."""
    found = pieces("z" * 100_000, 4096)

    assert len(found) == MOST_PIECES
    assert "thunes alerts list --json" in found[-1]
