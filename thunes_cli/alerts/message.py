"""Alerts as a person reads them: one text for what comes together, in pieces where a channel takes no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from thunes_cli.ledger.alert_delivery import Draft
from thunes_cli.ledger.alerts import LOUDEST_FIRST, Alert

SHOWN_OF_A_KIND = 3
MOST_PIECES = 4
_MARK = 16  # units kept free for "(2/4)" and its newline
_NEXT = "Next: "
_CUT = "\n… cut here; all of it: thunes alerts list --json"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which home speaks: an operator may have several."""

    environment: str
    home: Path


def draft(alerts: Sequence[Alert], origin: Origin) -> Draft:
    """One message, as loud as its loudest alert, oldest first; of a kind that repeats, the first two and the last."""
    severity = min((alert.severity for alert in alerts), key=LOUDEST_FIRST.index)
    kinds = list(dict.fromkeys(alert.kind for alert in alerts))
    shown_kinds = ", ".join(kinds[:SHOWN_OF_A_KIND]) + (", …" if len(kinds) > SHOWN_OF_A_KIND else "")
    many = f" ({len(alerts)} alerts)" if len(alerts) > 1 else ""
    subject = f"{severity.upper()} {origin.environment}: {shown_kinds}{many}"
    paragraphs = "\n\n".join(_paragraphs(alerts))
    return Draft(severity, subject, f"{subject}\nhome {readable(str(origin.home))}\n\n{paragraphs}")


def _paragraphs(alerts: Sequence[Alert]) -> Iterator[str]:
    by_kind: dict[str, list[Alert]] = {}
    for alert in alerts:
        by_kind.setdefault(alert.kind, []).append(alert)
    for same in by_kind.values():
        if len(same) <= SHOWN_OF_A_KIND:
            yield from (_paragraph(alert) for alert in same)
            continue
        yield from (_paragraph(alert) for alert in same[: SHOWN_OF_A_KIND - 1])
        left_out = len(same) - SHOWN_OF_A_KIND
        yield f"… and {left_out} more of {same[0].kind}, then the last:"
        yield _paragraph(same[-1])


def _paragraph(alert: Alert) -> str:
    what, found, following = readable(alert.text.strip()).rpartition(_NEXT)
    # The last one is ours; an exchange's words must not tell anybody what to type.
    text = f"{what.replace(_NEXT, 'Next ').rstrip()}\n{_NEXT}{following}" if found else following
    note = f"\nTrail checkpoint:\n{readable(alert.note.strip())}" if alert.note else ""
    return f"{alert.created_at:%Y-%m-%d %H:%M:%S}Z\n{text}{note}"


def readable(text: str) -> str:
    """Without control characters and what turns text around: an exchange's words must not forge ours."""
    return "".join(character if character.isprintable() or character == "\n" else "·" for character in text)


def units(text: str) -> int:
    """Length in UTF-16 code units.

    Telegram says "characters" and counts its own offsets in these units; no way of counting finds fewer.
    """
    return len(text) + sum(character > "\uffff" for character in text)


def pieces(text: str, longest: int | None) -> list[str]:
    """The text in pieces of at most so many units, cut at line ends or spaces where there are any; at most four."""
    if longest is None or units(text) <= longest:
        return [text]
    found: list[str] = []
    rest = text
    while rest and len(found) < MOST_PIECES:
        last = len(found) == MOST_PIECES - 1
        if units(rest) <= longest - _MARK:
            found.append(rest)
            rest = ""
        elif last:
            found.append(_head(rest, longest - _MARK - units(_CUT)) + _CUT)
        else:
            head = _head(rest, longest - _MARK)
            found.append(head)
            rest = rest[len(head) :].lstrip("\n ")
    return [f"({number}/{len(found)})\n{piece}" for number, piece in enumerate(found, start=1)]


def _head(text: str, longest: int) -> str:
    """The longest good beginning that fits."""
    end = length = 0
    for character in text:
        length += 2 if character > "\uffff" else 1
        if length > longest:
            break
        end += 1
    for separator in ("\n", " "):
        cut = text.rfind(separator, end // 2, end)
        if cut > 0:
            return text[:cut]
    return text[:end]
