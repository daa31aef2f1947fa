"""Long lines, folded where a person reads them; in a pipe a line stays a line."""

from __future__ import annotations

from thunes_cli.cli.call import Call

_LINE = 79


def width_for(call: Call) -> int:
    """Columns to fold at; 0 means not to fold."""
    return _LINE if call.streams.stdout_is_tty else 0


def folded(text: str, *, width: int, start: str = "") -> str:
    """A text set under its beginning; words, ids and paths are not broken."""
    if not width:
        return start + text
    from textwrap import wrap

    lines = wrap(
        text,
        width,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)
