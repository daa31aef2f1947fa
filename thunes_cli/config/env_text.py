"""Changing the text of a ``.env`` file and nothing around it: comments, order, blank lines and line ends stay."""

from __future__ import annotations

import io
import re
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from thunes_cli.config.env_file import parse
from thunes_cli.config.source import Changes

_PLAIN = re.compile(r"[\w+/=.:,@%-]+")
_TAIL = re.compile(r"[^\S\r\n]+#[^\r\n]*(?=[\r\n]*$)")
_QUOTED = re.compile(r"=\s*('(?:\\'|[^'])*'|\"(?:\\\"|[^\"])*\")")


def edit(text: str, changes: Changes) -> str:
    """The text with other values; a setting it does not have yet comes after the last one that was changed.

    Raises:
        ValueError: the text cannot be changed so that it says what it should.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    pieces: list[str] = []
    seen: set[str] = set()
    place = -1
    for binding in parse_stream(io.StringIO(text, newline="")):
        if binding.key is None or binding.key not in changes:
            pieces.append(binding.original.string)
            continue
        seen.add(binding.key)
        value = changes[binding.key]
        if value is not None:
            pieces.append(_changed(binding, value, newline))
        place = len(pieces)
    added = [f"{name}={_quoted(value)}{newline}" for name, value in changes.items() if value and name not in seen]
    place = len(pieces) if place < 0 else place
    if added and place > 0 and not pieces[place - 1].endswith(("\n", "\r")):
        pieces[place - 1] += newline
    pieces[place:place] = added
    result = "".join(pieces)
    _prove(result, changes)
    return result


def _changed(binding: Binding, value: str, newline: str) -> str:
    original = binding.original.string
    body = original.rstrip("\r\n")
    ending = original[len(body) :]
    lead = body[: len(body) - len(body.lstrip())]
    export = "export " if body.lstrip().startswith("export ") else ""
    quoted = _QUOTED.search(body)
    tail = _TAIL.search(body, quoted.end() if quoted else 0)
    return f"{lead}{export}{binding.key}={_quoted(value)}{tail.group() if tail else ''}{ending or newline}"


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _prove(text: str, changes: Changes) -> None:
    layer = parse(text, path=Path(), known=())
    for name, value in changes.items():
        entry = layer.entries.get(name)
        if (entry.text if entry else None) != (value.strip() if value else None):
            raise ValueError(f"{name} cannot be changed where it stands")
