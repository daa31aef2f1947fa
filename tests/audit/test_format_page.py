"""docs/audit-format.md says what the code does: every event, and a schema that fits what is written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from trail_home import TrailHome, lines_of

from thunes_cli.audit.events import Event

ROOT = Path(__file__).parents[2]
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "audit-record.schema.json").read_text(encoding="utf-8")))
PAGE = (ROOT / "docs" / "audit-format.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("event", list(Event))
def test_every_event_is_listed(event: Event) -> None:
    """Whoever reads a trail finds each name on the page."""
    assert f"`{event}`" in PAGE


@pytest.mark.parametrize("event", list(Event))
def test_every_event_is_recorded_by_somebody(event: Event) -> None:
    """A name that no code puts on the trail is a promise not kept."""
    used = re.compile(rf"Event\.{event.name}\b")
    code = [path for path in (ROOT / "thunes_cli").rglob("*.py") if path.name != "events.py"]

    assert any(used.search(path.read_text(encoding="utf-8")) for path in code)


def test_the_schema_fits_what_is_written(home: TrailHome) -> None:
    """Each record of a trail with two segments and checkpoints is one that the schema allows."""
    lines = [*lines_of(home.closed), *lines_of(home.trail)]

    assert [fault.message for line in lines for fault in SCHEMA.iter_errors(json.loads(line))] == []
    assert len(lines) > 1


def test_the_schema_fits_a_real_run(tmp_path: Path) -> None:
    """A home made, checked once on its own simulator, stopped by hand: every record has the schema's form."""
    path = tmp_path / "home"
    for words in (
        ("init",),
        ("run", "--once"),
        ("killswitch", "activate", "--reason", 'a "drill"'),
        ("audit", "rotate"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "thunes_cli", "--home", str(path), *words],
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr

    records = [json.loads(line) for file in sorted(path.glob("audit_trail*.jsonl")) for line in lines_of(file)]

    for record in records:
        SCHEMA.validate(record)
        assert list(record)[:5] == SCHEMA.schema["required"]
    told = {record["event"] for record in records}
    assert {"HOME_CREATED", "AUDIT_KEY_IN_USE", "BASELINE_RECORDED", "KILL_SWITCH_ACTIVATED", "SEGMENT_STARTED"} <= told


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"seq": 0}, {"prev": "F" * 64}, {"timestamp": "2026-03-10T12:00:00"}, {"event": "kill"}, {"x": 1.5}],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_refuses_what_is_no_record(home: TrailHome, change: dict[str, object]) -> None:
    """It is no formality: another version, number, hash, time, name or a binary fraction is refused."""
    record = json.loads(lines_of(home.trail)[3])

    assert SCHEMA.is_valid(record)
    assert not SCHEMA.is_valid(record | change)
