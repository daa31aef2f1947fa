"""A bar for whoever waits: on a terminal only, not before half a second, and gone when it is done."""

from __future__ import annotations

import io

import pytest
from freezegun import freeze_time

from thunes_cli.cli.progress import RowProgress
from thunes_cli.cli.streams import Streams


class Terminal(io.StringIO):
    """A text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(stderr: io.StringIO, *, seconds: list[float], rows: int = 100, expected: int = 1000) -> str:
    """What was written while rows came at these times."""
    with freeze_time("2026-03-10 12:00:00") as clock:
        with RowProgress(Streams(io.StringIO(), io.StringIO(), stderr), "comparing", expected=expected) as progress:
            for pause in seconds:
                clock.tick(pause)
                progress.add(rows)
            written = stderr.getvalue()
        assert stderr.getvalue() == written or stderr.getvalue().endswith("\r")
    return written


def test_a_quick_comparison_shows_nothing() -> None:
    """Half a second is not waited for."""
    assert shown(Terminal(), seconds=[0.1, 0.1, 0.2]) == ""


def test_a_pipe_sees_nothing() -> None:
    """However long it takes."""
    assert shown(io.StringIO(), seconds=[1, 1, 1]) == ""


def test_a_person_sees_how_far_it_is() -> None:
    """Rows of rows expected, from half a second on."""
    assert shown(Terminal(), seconds=[0.6, 0.6]).endswith("comparing [######........................]  20% 200 rows")


@pytest.mark.parametrize("expected", [0, 50], ids=["unknown", "more than expected"])
def test_more_rows_than_expected_is_all_of_them(expected: int) -> None:
    """The exchange may list more than the ledger knows."""
    assert "100%" in shown(Terminal(), seconds=[0.6, 0.6], expected=expected)
