"""Asking before something changes.

Mild changes ask y/N or take ``--yes``; severe ones ask for a typed phrase or take ``--confirm "<phrase>"``. Without a
terminal and without the flag nothing is touched (7). Declining, or typing another phrase, is 6. A ``--confirm`` with
another phrase is 7: the confirmation this change needs was not given, and nobody is asked a second time.
"""

from __future__ import annotations

from thunes_cli.cli.streams import Streams
from thunes_cli.errors import Cancelled, NeedsConfirmation


class PhraseMismatch(Cancelled):
    """the phrase typed is not {0!r}; nothing changed"""

    code = "phrase_mismatch"


class WrongPhrase(NeedsConfirmation):
    """--confirm {0!r} is not the phrase this needs; nothing changed"""

    code = "wrong_phrase"


def _ask(streams: Streams, text: str) -> str:
    streams.stdout.flush()
    try:
        streams.stderr.write(text)
        streams.stderr.flush()
        answer = streams.stdin.readline()
    except KeyboardInterrupt:
        streams.stderr.write("\n")  # what is told of it begins a line of its own
        raise
    if not answer:  # end of file: the terminal went away, or Ctrl-D
        streams.stderr.write("\n")
        raise Cancelled
    return answer.strip()


def confirm(streams: Streams, question: str, *, yes: bool) -> None:
    """Return when a mild change may go on.

    Raises:
        Cancelled: anything but y or yes was answered. NeedsConfirmation: nobody can be asked.
    """
    if yes:
        return
    if not streams.can_prompt:
        raise NeedsConfirmation(hint="add --yes")
    if _ask(streams, f"{question} [y/N] ").lower() not in {"y", "yes"}:
        raise Cancelled


def confirm_phrase(streams: Streams, question: str, *, phrase: str, given: str | None) -> None:
    """Return when a severe change may go on; ``given`` is the value of ``--confirm``.

    Raises:
        PhraseMismatch, Cancelled: the phrase was not typed. NeedsConfirmation, WrongPhrase: see the module.
    """
    flag = f'--confirm "{phrase}"'
    if given is not None:
        if given.strip() != phrase:
            raise WrongPhrase(given, hint=f"add {flag}")
        return
    if not streams.can_prompt:
        raise NeedsConfirmation(hint=f"add {flag} (--yes is not enough here)")
    if _ask(streams, f"{question}\nType “{phrase}” to go on: ") != phrase:
        raise PhraseMismatch(phrase)
