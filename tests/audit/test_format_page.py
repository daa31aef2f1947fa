"""docs/audit-format.md says what the code does: every event, and a schema that fits what is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from trail_home import TrailHome, lines_of

from thunes_cli.audit.events import Event

ROOT = Path(__file__).parents[2]
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
    """Each record of a real trail has the schema's keys, in its form, and flat facts."""
    schema = next(
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL) if "$schema" in block
    )
    flat = {"string": str, "integer": int, "boolean": bool, "null": type(None)}
    allowed = tuple(flat[name] for name in schema["additionalProperties"]["type"])

    for line in [*lines_of(home.closed), *lines_of(home.trail)]:
        record = json.loads(line)
        assert list(record)[:5] == schema["required"]
        for key, rule in schema["properties"].items():
            assert "const" not in rule or record[key] == rule["const"]
            assert "pattern" not in rule or re.search(rule["pattern"], record[key])
            assert "minimum" not in rule or record[key] >= rule["minimum"]
        assert all(isinstance(value, allowed) for value in record.values())
