"""Reading a trail as a stranger would: bytes, hashes, JSON."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def read_chain(path: Path) -> list[dict[str, Any]]:
    """The records of a trail whose every link holds; fails otherwise."""
    prev, records = "0" * 64, []
    data = path.read_bytes()
    assert data == b"" or data.endswith(b"\n")
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        record = json.loads(line)
        assert record["seq"] == number
        assert record["prev"] == prev
        prev = hashlib.sha256(line).hexdigest()
        records.append(record)
    return records
