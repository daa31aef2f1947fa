"""One run of the ``thunes`` command: parse, call, write the answer once, return the exit code."""

from __future__ import annotations

import os
import select
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from typer._click.core import Context
from typer._click.exceptions import UsageError

from thunes_cli import __version__
from thunes_cli.cli.call import Call
from thunes_cli.cli.render import banner, envelope, write_errors, write_json, write_text
from thunes_cli.cli.result import Problem, Result, failure
from thunes_cli.cli.stamp import read_stamp
from thunes_cli.cli.streams import Streams, process_streams
from thunes_cli.cli.table import COMMANDS, Entry
from thunes_cli.cli.tree import HelpAsked, Invocation, VersionAsked, build_root, path_of
from thunes_cli.cli.usage import bad_format, usage_result, wants_json
from thunes_cli.errors import ExitCode, ThunesError


@dataclass(frozen=True, slots=True)
class _Answer:
    """A result and how to write it. ``raised``: there is only an error; ``page``: text without a banner."""

    result: Result
    command: str = ""
    json: bool = False
    quiet: bool = False
    home: Path | None = None
    raised: bool = False
    page: bool = False
    trace: str = ""


@dataclass(frozen=True, slots=True)
class _Application:
    entries: Sequence[Entry]
    environ: Mapping[str, str]
    streams: Streams
    arguments: Sequence[str]

    def make_call(self, context: Context, *, as_json: bool, quiet: bool) -> Call:
        root = context.find_root().params
        return Call(
            command=path_of(context),
            streams=self.streams,
            environ=self.environ,
            home_option=root["home"],
            env_file_option=Path(root["env_file"]) if root["env_file"] else None,
            json=as_json or root["json"] or self.environ.get("THUNES_FORMAT") == "json",
            quiet=quiet or root["quiet"],
        )

    def deliver(self) -> _Answer:
        """Find the answer and write it; one that cannot be written as it is, is reported as the bug it is."""
        answer = self.answer()
        try:
            self.write(answer)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - a result no format can hold; whatever it is, it is ours
            answer = self._crashed(error, command=answer.command, home=answer.home, as_json=answer.json)
            self.write(answer)
        return answer

    def answer(self) -> _Answer:
        """What the command line asks for, or why it cannot be had."""
        invocation = Invocation(self.make_call)
        try:
            return self._parse_and_call(invocation)
        except UsageError as error:
            return self._early(usage_result(error, self.entries), error.ctx, raised=True)
        except ThunesError as error:
            return self._late(failure(error), invocation, raised=True)
        except KeyboardInterrupt:
            interrupted = Problem("interrupted", "interrupted")
            return self._late(Result(exit_code=ExitCode.SIGINT, problems=(interrupted,)), invocation, raised=True)
        except Exception as error:
            if isinstance(error, BrokenPipeError) and _reader_is_gone(self.streams.stdout):
                raise
            call = invocation.call
            if call is None:  # its module could not be imported
                return self._crashed(error, as_json=wants_json(self.arguments, self.environ, None))
            return self._crashed(error, command=call.command, home=self._home(call.home_option), as_json=call.json)

    def _parse_and_call(self, invocation: Invocation) -> _Answer:
        problem = bad_format(self.environ)
        if problem is not None:
            return _Answer(Result(exit_code=ExitCode.USAGE, problems=(problem,)), raised=True)
        root = build_root(self.entries)
        try:
            # A bare `thunes` is a person looking for the commands: help, and 0.
            with root.make_context("thunes", list(self.arguments) or ["--help"], obj=invocation) as context:
                return self._late(root.invoke(context), invocation)
        except HelpAsked as asked:
            result = Result(data={"help": asked.page}, text=(asked.page,))
            return self._early(result, asked.context, page=True)
        except VersionAsked as asked:
            result = Result(data={"version": __version__}, text=(f"thunes {__version__}",))
            return self._early(result, asked.context, page=True)

    def _early(self, result: Result, context: Context | None, *, raised: bool = False, page: bool = False) -> _Answer:
        """An answer from parsing alone: the format is read from the raw arguments."""
        option = context.find_root().params.get("home") if context is not None else None
        as_json = wants_json(self.arguments, self.environ, context)
        home = self._home(option) if as_json else None
        return _Answer(result, path_of(context), json=as_json, home=home, raised=raised, page=page)

    def _late(self, result: Result, invocation: Invocation, *, raised: bool = False) -> _Answer:
        call = invocation.call
        if call is None:  # failed before the command was called: its module, or Ctrl-C while importing it
            return _Answer(result, json=wants_json(self.arguments, self.environ, None), raised=raised)
        home = result.home or self._home(call.home_option)
        return _Answer(result, call.command, json=call.json, quiet=call.quiet, home=home, raised=raised)

    def _crashed(
        self, error: Exception, *, command: str = "", home: Path | None = None, as_json: bool = False
    ) -> _Answer:
        from thunes_cli.cli.crash import crash_result

        result, trace = crash_result(error, home=home, command=command, environ=self.environ)
        return _Answer(result, command, json=as_json, home=home, raised=True, trace=trace)

    def _home(self, option: str | None) -> Path | None:
        from thunes_cli.config.home import find_home

        try:
            return find_home(option, self.environ)
        except ThunesError:
            return None

    def write(self, answer: _Answer) -> None:
        """Write an answer once, in its format."""
        result, streams = answer.result, self.streams
        if answer.trace:
            streams.stderr.write(answer.trace)
        if result.streamed:
            write_errors(result, streams.stderr)
        elif answer.json:
            stamp = read_stamp(answer.home)
            write_json(envelope(result, command=answer.command, stamp=stamp), streams.stdout)
        elif answer.raised:
            write_errors(result, streams.stderr)
        else:
            shown = answer.home is not None and not (answer.quiet and result.exit_code == ExitCode.OK)
            first = banner(read_stamp(answer.home), answer.home) if shown and answer.home is not None else ""
            write_text(result, streams, first_line=first, quiet=answer.quiet and not answer.page)
        streams.stdout.flush()


def run(
    arguments: Sequence[str],
    *,
    entries: Sequence[Entry] = COMMANDS,
    environ: Mapping[str, str] = os.environ,
    streams: Streams | None = None,
) -> int:
    """Run one command line and return the process's exit code; never raises for what an operator can cause."""
    streams = streams if streams is not None else process_streams(environ)
    application = _Application(entries, environ, streams, arguments)
    try:
        answer = application.deliver()
    except BrokenPipeError:
        _silence(streams.stdout, streams.stderr)
        return ExitCode.SIGPIPE
    except OSError as error:  # a full disk behind a redirection; nobody is left to be told but stderr
        _silence(streams.stdout)
        with suppress(OSError):
            streams.stderr.write(f"thunes: the answer could not be written; {error.strerror or error}\n")
        return ExitCode.UNAVAILABLE
    return int(answer.result.exit_code)


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
