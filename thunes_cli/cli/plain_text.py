"""Text as it may be shown: control characters visible, tables aligned."""

from __future__ import annotations

from thunes_cli.cli.result import Table

_NUMERIC = frozenset("0123456789+-−.,% ")


def visible(text: str, *, keep: str = "") -> str:
    """Text from outside with control characters shown, not obeyed: an exchange's answer must not steer a terminal."""
    if text.isprintable():
        return text
    return "".join(ch if ch.isprintable() or ch in keep else ch.encode("unicode_escape").decode("ascii") for ch in text)


def numeric_columns(table: Table) -> set[int]:
    """Columns that hold numbers only: they are aligned to the right."""
    return {
        index
        for index in range(len(table.columns))
        if any(row[index] for row in table.rows) and all(_NUMERIC.issuperset(row[index]) for row in table.rows)
    }


def plain_table(table: Table) -> str:
    """Aligned columns, two spaces apart, never wrapped or cut: for pipes and files."""
    rows = [table.columns, *(tuple(visible(cell) for cell in row) for row in table.rows)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(table.columns))]
    right = numeric_columns(table)
    lines = [table.title] if table.title else []
    for row in rows:
        cells = [
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    if not table.rows:
        lines.append("(none)")
    return "\n".join(lines) + "\n"
