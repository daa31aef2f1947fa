"""docs/results.schema.json as a judge: every document that a test reads is held against it."""

from __future__ import annotations

import functools
import json
from typing import Any

from frame import ROOT
from jsonschema import Draft202012Validator

SCHEMA = json.loads((ROOT / "docs" / "results.schema.json").read_text(encoding="utf-8"))
PLAN = {"$ref": "#/$defs/plan"}


@functools.cache
def _validator(command: str | None) -> Draft202012Validator:
    """For the envelope (None), or for a command's data."""
    if command is None:
        return Draft202012Validator(SCHEMA)
    data = {"anyOf": [SCHEMA["$defs"]["commands"][command], PLAN]}
    return Draft202012Validator({"$defs": SCHEMA["$defs"], **data})


def demand_the_promised_form(document: dict[str, Any]) -> None:
    """The envelope, and the data of a command that answered."""
    faults = list(_validator(None).iter_errors(document))
    command, data = document["command"], document["data"]
    if command in SCHEMA["$defs"]["commands"] and data and "help" not in data:
        faults += _validator(command).iter_errors(data)
    told = [f"{command}: {fault.json_path}: {_innermost(fault)}" for fault in faults]
    assert not told, told


def _innermost(fault: Any) -> str:
    while fault.context:
        fault = max(fault.context, key=lambda each: len(each.absolute_path))
    return f"{fault.json_path}: {fault.message}"
