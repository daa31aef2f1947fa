"""One run of the ``thunes`` command: parse, call, write the answer once, return the exit code."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TextIO

from thunes_cli.cli.invocation import Answer, Invocation, answer_of, wants_json
from thunes_cli.cli.quick import perform_quickly
from thunes_cli.cli.render import banner, envelope, write_errors, write_json, write_text
from thunes_cli.cli.result import Problem, Result, failure
from thunes_cli.cli.stamp import read_stamp
from thunes_cli.cli.streams import Streams, process_streams
from thunes_cli.cli.table import COMMANDS, Entry
from thunes_cli.errors import ExitCode, NotFound, ThunesError, Unavailable

_FORMATS = ("text", "json")
_SHOWN = 80  # characters of a path that is too long


def run(
    arguments: Sequence[str],
    *,
    entries: Sequence[Entry] = COMMANDS,
    environ: Mapping[str, str] = os.environ,
    streams: Streams | None = None,
) -> int:
    """Run one command line and return the process's exit code; never raises for what an operator can cause."""
    streams = streams if streams is not None else process_streams(environ)
    invocation = Invocation(entries, environ, streams, arguments)
    try:
        answer = _deliver(invocation)
    except BrokenPipeError:
        _silence(streams.stdout, streams.stderr)
        return ExitCode.SIGPIPE
    except OSError as error:  # a full disk behind a redirection; nobody is left to be told but stderr
        _silence(streams.stdout)
        with suppress(OSError):
            streams.stderr.write(f"thunes: the answer could not be written; {error.strerror or error}\n")
        return ExitCode.UNAVAILABLE
    return int(answer.result.exit_code)


def _deliver(invocation: Invocation) -> Answer:
    """Find the answer and write it; one that cannot be written as it is, is reported as the bug it is."""
    answer = _find(invocation)
    try:
        _write(answer, invocation.streams)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - a result no format can hold; whatever it is, it is ours
        answer = _crashed(error, invocation, answer)
        _write(answer, invocation.streams)
    return answer


def _find(invocation: Invocation) -> Answer:
    problem = _bad_format(invocation.environ)
    if problem is not None:
        return answer_of(invocation, Result(exit_code=ExitCode.USAGE, problems=(problem,)), raised=True)
    try:
        result = perform_quickly(invocation)
        if result is not None:
            return answer_of(invocation, result)
        from thunes_cli.cli.parsing import parse_and_perform

        return parse_and_perform(invocation)
    except ThunesError as error:
        return answer_of(invocation, failure(error), raised=True)
    except KeyboardInterrupt:
        interrupted = Problem("interrupted", "interrupted")
        return answer_of(invocation, Result(exit_code=ExitCode.SIGINT, problems=(interrupted,)), raised=True)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _reader_is_gone(invocation.streams.stdout):
            raise
        known = _fault_of_a_path(error) or _fault_of_the_machine(error, invocation)
        return _crashed(error, invocation, None) if known is None else answer_of(invocation, known, raised=True)


def _fault_of_a_path(error: Exception) -> Result | None:
    """What any command can stumble over: a name no file system takes, or a start in a directory that was removed."""
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return failure(NotFound(f"{str(error.filename)[:_SHOWN]}…: {error.strerror}", hint="look at what was typed"))
    if isinstance(error, FileNotFoundError):
        try:
            os.getcwd()  # noqa: PTH109 - pathlib is not imported for this
        except FileNotFoundError:
            return failure(NotFound("the current directory is gone", hint="cd to one that is there"))
    return None


def _fault_of_the_machine(error: Exception, invocation: Invocation) -> Result | None:
    """A full disk or a device's error in the midst of anything: no bug of ours, and nothing is lost by it."""
    from pathlib import Path

    from thunes_cli.config.home import LEDGER
    from thunes_cli.ledger.machine_faults import is_machine_fault, unavailable

    if not is_machine_fault(error):
        return None
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return failure(Unavailable(f"{where}{error.strerror}", hint="look at the disk: dmesg, df -h"))
    call = invocation.call
    home = None if call is None else invocation.home(call.home_option)
    return failure(unavailable(error, (home or Path()) / LEDGER, verb="read or written"))


def _bad_format(environ: Mapping[str, str]) -> Problem | None:
    value = environ.get("THUNES_FORMAT")
    if not value or value in _FORMATS:
        return None
    return Problem("usage", f"THUNES_FORMAT is {value!r}; it must be text or json", "unset THUNES_FORMAT")


def _crashed(error: Exception, invocation: Invocation, answer: Answer | None) -> Answer:
    from thunes_cli.cli.crash import crash_result

    call, environ = invocation.call, invocation.environ
    command, as_json, home, env_file = "", wants_json(invocation.arguments, environ), None, None
    if call is not None:
        command, as_json, home, env_file = call.command, call.json, invocation.home(call.home_option), call.env_file
    if answer is not None and answer.home is not None:
        home = answer.home
    result, trace = crash_result(error, home=home, command=command, environ=environ, env_file=env_file)
    return Answer(result, command, json=as_json, home=home, raised=True, trace=trace)


def _write(answer: Answer, streams: Streams) -> None:
    """Write an answer once, in its format."""
    result = answer.result
    if answer.trace:
        streams.stderr.write(answer.trace)
    if result.streamed:
        write_errors(result, streams.stderr)
    elif answer.json:
        document = envelope(result, command=answer.command, stamp=read_stamp(answer.home))
        write_json(document, streams.stdout)
    elif answer.raised:
        write_errors(result, streams.stderr)
    else:
        quiet = answer.quiet and not answer.page
        first = banner(read_stamp(answer.home), answer.home) if answer.home is not None else ""
        write_text(result, streams, first_line=first, quiet=quiet)
    streams.stdout.flush()


def _reader_is_gone(stdout: TextIO) -> bool:
    """Whether stdout is a pipe nobody reads: only then is a broken pipe the caller's wish and not a failure."""
    try:
        poll = select.poll()
        poll.register(stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False


def _silence(*outputs: TextIO) -> None:
    """Send what is still buffered to nowhere, so that the interpreter's last flush cannot complain."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for output in outputs:
            os.dup2(nowhere, output.fileno())
