"""docs/results.schema.json describes what every command prints; ``bot_home.Answer`` holds each document against it."""

from __future__ import annotations

import pytest
from bot_home import BotHome
from jsonschema import Draft202012Validator
from result_schemas import SCHEMA, demand_the_promised_form

from thunes_cli.cli.table import COMMANDS


def test_it_is_a_schema() -> None:
    """Of the draft it names."""
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_every_command_is_described() -> None:
    """No command of the table is missing, none is described that does not exist."""
    assert set(SCHEMA["$defs"]["commands"]) == {entry.path for entry in COMMANDS}


def test_a_key_that_is_not_described_is_noticed(bot: BotHome) -> None:
    """Adding one means describing it."""
    document = bot.ask("killswitch", "status", "--json").document

    with pytest.raises(AssertionError, match="surprise"):
        demand_the_promised_form(document | {"data": document["data"] | {"surprise": 1}})
