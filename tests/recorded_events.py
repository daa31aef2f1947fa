"""Every event of the trail is put there by the product itself, somewhere in the suite.

The trails of all homes that tests used are read when a run of the whole suite ends; records that a test made by hand do
not count. What is left over fails the run: an event that nothing records is a promise not kept. Each worker reads its
own homes, whatever order its tests came in.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from thunes_cli.audit.events import Event
from thunes_cli.audit.journal import Change
from thunes_cli.ledger.outbox import read_head

_RECORD = re.compile(rb'"seq":(\d+),"prev":"[0-9a-f]{64}","timestamp":"[^"]+","event":"([A-Z_]+)"')
_SEEN = pytest.StashKey[set[str]]()
_MISSING = pytest.StashKey[list[str]]()
_OUTPUT = "recorded_events"
_BIG = 32 * 1024 * 1024
_by_hand: set[tuple[str, int]] = set()
"""Home and number of each record that a test made."""


def remember_what_is_made_by_hand() -> None:
    """From now on a record whose maker is no module of the product is known to be a test's."""
    record = Change.record

    def watched(self: Change, event: Event, **facts: Any) -> None:
        record(self, event, **facts)
        if not sys._getframe(1).f_globals["__name__"].startswith("thunes_cli."):
            file = self.connection.execute("PRAGMA database_list").fetchone()["file"]
            _by_hand.add((str(Path(file).parent.resolve()), read_head(self.connection).seq))

    Change.record = watched  # type: ignore[method-assign]


def recorded_below(place: Path) -> set[str]:
    """The events that the product recorded in the homes below a directory, written or waiting."""
    found: set[str] = set()
    for ledger in place.rglob("thunes.db"):
        home = str(ledger.parent.resolve())
        for seq, event in [*_written(ledger.parent), *_waiting(ledger)]:
            if (home, seq) not in _by_hand:
                found.add(event)
    return found


def _written(home: Path) -> Iterator[tuple[int, str]]:
    for path in home.glob("audit_trail*.jsonl"):
        if path.is_file() and path.stat().st_size < _BIG:
            for seq, event in _RECORD.findall(path.read_bytes()):
                yield int(seq), event.decode()


def _waiting(ledger: Path) -> list[tuple[int, str]]:
    try:
        with closing(sqlite3.connect(f"{ledger.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT seq, event FROM audit_outbox").fetchall()
    except sqlite3.Error:
        return []  # a test damaged it


# -- when a run ends -----------------------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker is done: take over what it saw."""
    _seen(node.config).update(json.loads(getattr(node, "workeroutput", {}).get(_OUTPUT, "[]")))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells what it saw; whoever started the run has it all."""
    config = session.config
    output = getattr(config, "workeroutput", None)
    if output is None and not _is_whole(session):
        return
    if output is not None or not _has_workers(config):
        factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
        _seen(config).update(recorded_below(factory.getbasetemp()))
    if output is not None:
        output[_OUTPUT] = json.dumps(sorted(_seen(config)))
        return
    missing = sorted(set(Event) - _seen(config))
    config.stash[_MISSING] = missing
    if missing:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def name_what_is_missing(terminalreporter: Any, config: pytest.Config) -> None:
    """The events that a run of the whole suite lacks, at its end."""
    if missing := config.stash.get(_MISSING, []):
        terminalreporter.section("events that the product never recorded")
        terminalreporter.line(", ".join(missing))


def _is_whole(session: pytest.Session) -> bool:
    """Whether nothing was left out but what ``make test`` leaves out, and nothing failed."""
    config = session.config
    chosen = config.args_source is pytest.Config.ArgsSource.ARGS or config.option.keyword
    narrowed = config.option.markexpr not in {"", "not long"} or config.getoption("lf", default=False)
    collected = config.getoption("collectonly", default=False)
    return session.exitstatus == pytest.ExitCode.OK and not (chosen or narrowed or collected)


def _has_workers(config: pytest.Config) -> bool:
    return bool(config.getoption("numprocesses", None))


def _seen(config: pytest.Config) -> set[str]:
    return config.stash.setdefault(_SEEN, set())
