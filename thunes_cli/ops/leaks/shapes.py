"""What a secret looks like, and telling ours by their fingerprints. Pure; a hit never carries what was found.

A shape alone is not enough: hashes are as long as keys, base64 as mixed. So an exchange's key must be mixed as drawn
letters are, stand alone, and not be a line of an encoded block; examples out of manuals are known; and a line that
says ``thunes: not a secret`` is believed, unless it holds a secret of this home.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

MARK = b"thunes: not a secret"
BINANCE, PRIVATE, KNOWN = "binance_key", "private_key", "known_secret"
_TOKEN = re.compile(rb"[A-Za-z0-9_-]{16,256}")
_PARTS = re.compile(rb"[A-Za-z0-9]{16,256}")
_BINANCE = re.compile(rb"(?<![A-Za-z0-9+/_-])[A-Za-z0-9]{64}(?![A-Za-z0-9+/=_-])")
_PEM = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?P<body>(?:[\s\\\"',+A-Za-z0-9/=:.]|-(?!---))*+)")
_BODY = re.compile(rb"[A-Za-z0-9+/]{40,}")  # less is somebody writing about private keys
_BLOCK = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----[^-]*-----END [A-Z0-9 ]+-----")
_BASE64_LINE = re.compile(rb"\s*[A-Za-z0-9+/]{60,}={0,2}\s*")
_ARMOUR = re.compile(rb"\\[nr]|[^A-Za-z0-9+/=]")
_OTHERS = {
    "telegram_token": re.compile(rb"(?<![0-9A-Za-z_])(?:bot)?(?P<it>\d{8,10}:[A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])"),
    "aws_access_key": re.compile(rb"(?<![A-Za-z0-9+/])(?P<it>(?:AKIA|ASIA)[A-Z2-7]{16})(?![A-Za-z0-9+/=])"),
    "aws_secret_key": re.compile(
        rb"(?i:aws_?secret_?(?:access_?)?key)[\"']?\s*[=:]\s*[\"']?(?P<it>[A-Za-z0-9+/]{40})(?![A-Za-z0-9+/=])"
    ),
    "age_identity": re.compile(rb"(?P<it>AGE-SECRET-KEY-1[0-9A-Z]{58})(?![0-9A-Za-z])"),
    "vault_token": re.compile(rb"(?<![\w.])(?P<it>hv[sb]\.[A-Za-z0-9_-]{24,})"),
}
_NEEDLES = {"aws_access_key": (b"AKIA", b"ASIA"), "age_identity": (b"AGE-SECRET-",), "vault_token": (b"hvs.", b"hvb.")}
_FEWEST_KINDS = {BINANCE: 12, "telegram_token": 16, "aws_access_key": 8, "aws_secret_key": 18}  # of characters
# Out of the exchange's own manual, by fingerprint.
_EXAMPLES = frozenset({"5ba1ed8425ba", "23e9efa3ced6"})
# Of 64 characters drawn of 62, 39 +- 4 are of another sort than the one before: far fewer are in names in camel case.
# An alphabet goes on from one to the next nearly always.
_FEWEST_TURNS, _MOST_STEPS = 24, 16
_TURNS = re.compile(rb"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[a-z0-9]|(?<=[0-9])[A-Za-z]")
_LONGEST_KNOWN, _LONGEST_BEGIN = 4096, 128
_BLOCK_LINES = 3


class Hit(NamedTuple):
    """Something found at an offset. ``known``: which secret of this home it is, in words; None: by its look only."""

    kind: str
    offset: int
    fingerprint: str
    known: str | None


@dataclass(frozen=True, slots=True)
class Finder:
    """Looks for shapes, for secrets known by fingerprint, and for the values of those that are set.

    Args:
        fingerprints: what each is, by the first 12 digits of its SHA-256.
        values: what each is, by the value itself.
    """

    fingerprints: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[bytes, str] = field(default_factory=dict, repr=False)

    def find(self, data: bytes) -> list[Hit]:
        """Every hit, by offset; what is known by two ways is told once, by the better one."""
        found: dict[int, Hit] = {}
        for hit in (*self._known(data), *self._looks(data)):
            found.setdefault(hit.offset, hit)
        # The one line of a short private key, without its armour, has the fingerprint of the whole.
        whole = [hit for hit in found.values() if hit.kind == PRIVATE]
        return [found[at] for at in sorted(found) if not any(_is_line_of(found[at], each) for each in whole)]

    def _known(self, data: bytes) -> Iterator[Hit]:
        for value, name in self.values.items():
            at = data.find(value)
            while at >= 0:
                yield Hit(KNOWN, at, _fingerprint(value), name)
                at = data.find(value, at + len(value))
        if not self.fingerprints:
            return
        for match in _TOKEN.finditer(data):
            whole = match.group()
            parts = [(match.start(), whole)]
            if b"_" in whole or b"-" in whole:
                parts += [(match.start() + each.start(), each.group()) for each in _PARTS.finditer(whole)]
            for at, part in parts:
                mark = _fingerprint(part)
                if mark in self.fingerprints:
                    yield Hit(KNOWN, at, mark, self.fingerprints[mark])

    def _looks(self, data: bytes) -> Iterator[Hit]:
        yield from self._private_keys(data)
        armoured = (_BLOCK, _PEM) if b"-----BEGIN" in data else ()
        blocks = [match.span() for shape in armoured for match in shape.finditer(data)]
        for match in _BINANCE.finditer(data):
            inside = any(begin <= match.start() < end for begin, end in blocks)
            if not inside and not _is_encoded_block(data, match):
                yield from self._judged(BINANCE, match.start(), match.group(), data)
        for kind, shape in _OTHERS.items():
            if kind in _NEEDLES and not any(needle in data for needle in _NEEDLES[kind]):
                continue  # much cheaper than the pattern
            for match in shape.finditer(data):
                yield from self._judged(kind, match.start("it"), match.group("it"), data)

    def _private_keys(self, data: bytes) -> Iterator[Hit]:
        for match in _PEM.finditer(data):
            if _BODY.search(match["body"]) is None:
                continue
            mark = _fingerprint(_ARMOUR.sub(b"", match["body"]))
            known = self.fingerprints.get(mark)
            if known is not None or not _is_marked(data, match.start()):
                yield Hit(PRIVATE, match.start(), mark, known)

    def _judged(self, kind: str, at: int, text: bytes, data: bytes) -> Iterator[Hit]:
        mark = _fingerprint(text)
        known = self.fingerprints.get(mark)
        if known is None and (not _is_drawn(kind, text) or mark in _EXAMPLES or _is_marked(data, at)):
            return
        yield Hit(kind, at, mark, known)


def _is_line_of(hit: Hit, private: Hit) -> bool:
    within = 0 < hit.offset - private.offset < _LONGEST_BEGIN
    return hit.kind == KNOWN and hit.fingerprint == private.fingerprint and within


def _fingerprint(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:12]


def _is_drawn(kind: str, text: bytes) -> bool:
    """Whether it looks like drawn by lot: enough different characters, of every sort that there is."""
    if b"EXAMPLE" in text.upper():
        return False
    if len(set(text)) < _FEWEST_KINDS.get(kind, 0):
        return False
    if kind != BINANCE:
        return True
    steps = sum(after - before == 1 for before, after in itertools.pairwise(text))
    mixed = all(re.search(sort, text) for sort in (rb"[a-z]", rb"[A-Z]", rb"[0-9]"))
    return mixed and steps <= _MOST_STEPS and len(_TURNS.findall(text)) >= _FEWEST_TURNS


def _line(data: bytes, at: int) -> tuple[int, int]:
    """Begin and end of the line at an offset."""
    begin = data.rfind(b"\n", 0, at) + 1
    end = data.find(b"\n", at)
    return begin, len(data) if end < 0 else end


def _is_marked(data: bytes, at: int) -> bool:
    """Whether its line, or the one before it, says that it is none."""
    begin, end = _line(data, at)
    before, _ = _line(data, begin - 1) if begin else (0, 0)
    return MARK in data[max(before, begin - _LONGEST_KNOWN) : min(end, begin + _LONGEST_KNOWN)]


def _is_encoded_block(data: bytes, match: re.Match[bytes]) -> bool:
    """Whether it is a line among lines of base64: a certificate, a picture."""
    begin, end = _line(data, match.start())
    if data[begin:end].strip() != match.group():
        return False
    lines = 1
    at = end + 1
    while lines < _BLOCK_LINES and at < len(data):
        first, last = _line(data, at)
        if not _BASE64_LINE.fullmatch(data, first, last):
            break
        lines, at = lines + 1, last + 1
    at = begin - 1
    while lines < _BLOCK_LINES and at > 0:
        first, last = _line(data, at)
        if not _BASE64_LINE.fullmatch(data, first, last):
            break
        lines, at = lines + 1, first - 1
    return lines >= _BLOCK_LINES
