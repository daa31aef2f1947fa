"""What a forger may do to the lines of a trail, and how each validation is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from trail_home import rechain

FAST: dict[str, Any] = {}


CHAIN: dict[str, Any] = {"keys": ()}


DEEP: dict[str, Any] = {"deep": True}


MODES = pytest.mark.parametrize("how", [FAST, CHAIN, DEEP], ids=["fast", "chain", "deep"])


class Forgery(NamedTuple):
    """What is done to one of the two segments' lines, and the line that must be named (None: the file will do)."""

    change: Callable[[list[bytes]], None]
    line: int | None
    problem: str


def flip_byte(lines: list[bytes]) -> None:
    lines[6] = lines[6].replace(b'"number":', b'"numbep":')


def edit_value(lines: list[bytes]) -> None:
    lines[6] = lines[6].replace(b"duplicate_position", b"kill_switch_active")


def delete_line(lines: list[bytes]) -> None:
    del lines[6]


def insert_line(lines: list[bytes]) -> None:
    record = json.loads(lines[6])
    lines.insert(6, json.dumps(record | {"reason": "forged"}, separators=(",", ":")).encode())


def duplicate_line(lines: list[bytes]) -> None:
    lines.insert(6, lines[6])


def swap_lines(lines: list[bytes]) -> None:
    lines[6], lines[7] = lines[7], lines[6]


def make_crlf(lines: list[bytes]) -> None:
    lines[:] = [line + b"\r" for line in lines]


def crlf_once(lines: list[bytes]) -> None:
    lines[6] += b"\r"


def add_bom(lines: list[bytes]) -> None:
    lines[0] = b"\xef\xbb\xbf" + lines[0]


def double_key(lines: list[bytes]) -> None:
    lines[6] = lines[6][:-1] + b',"reason":"kill_switch_active"}'


def spoil_utf8(lines: list[bytes]) -> None:
    lines[6] = lines[6].replace(b"duplicate", b"duplic\xffte")


def lengthen_line(lines: list[bytes]) -> None:
    lines[6] = lines[6][:-1] + b',"padding":"' + b"x" * 70_000 + b'"}'


def lengthen_beyond_a_block(lines: list[bytes]) -> None:
    lines[6] = lines[6][:-1] + b',"padding":"' + b"x" * 600_000 + b'"}'


def empty_line(lines: list[bytes]) -> None:
    lines.insert(6, b"")


def two_in_one(lines: list[bytes]) -> None:
    lines[6:8] = [lines[6] + lines[7]]


def no_object(lines: list[bytes]) -> None:
    lines[6] = b"[" + lines[6] + b"]"


def nest_deeply(lines: list[bytes]) -> None:
    lines[6] = lines[6][:-1] + b',"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}"


def rewrite_chain(lines: list[bytes]) -> None:
    edit_value(lines)
    rechain(lines, first=7)


FORGERIES = {
    "flipped byte": Forgery(flip_byte, 7, ""),
    "edited value": Forgery(edit_value, 7, "not the record that was written"),
    "deleted line": Forgery(delete_line, 7, "sequence"),
    "inserted line": Forgery(insert_line, 8, "sequence"),
    "duplicated line": Forgery(duplicate_line, 8, "sequence"),
    "swapped lines": Forgery(swap_lines, 7, "sequence"),
    "CRLF": Forgery(make_crlf, 1, "CR LF"),
    "CRLF once": Forgery(crlf_once, 7, "CR LF"),
    "BOM": Forgery(add_bom, 1, "byte order mark"),
    "duplicate JSON key": Forgery(double_key, 7, ""),
    "invalid UTF-8": Forgery(spoil_utf8, 7, "UTF-8"),
    "over-long line": Forgery(lengthen_line, 7, "too long"),
    "line longer than a block": Forgery(lengthen_beyond_a_block, 7, "too long"),
    "empty line": Forgery(empty_line, 7, "an empty line"),
    "two records in a line": Forgery(two_in_one, 7, "JSON"),
    "a list": Forgery(no_object, 7, "not a JSON object"),
    "nested deeply": Forgery(nest_deeply, 7, ""),
}


FORGED = pytest.mark.parametrize("name", FORGERIES)
