"""Whatever is typed or written into ``.env``: an answer with a code of the contract, never a traceback."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from bot_home import Answer, BotHome, thunes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thunes_cli.cli.shape import Shape, read_tree
from thunes_cli.cli.table import COMMANDS
from thunes_cli.config.settings import Settings
from thunes_cli.errors import ExitCode

# These go on until they are stopped, once their line is good; each has tests of its own.
_GO_ON = {"run", "demo", "sim serve"}
_FOLLOW = "--follow"
_NOWHERE = "http://127.0.0.1:9"
_CODES = {int(code) for code in ExitCode} - {int(ExitCode.BUG)}
SHAPES = [shape for shape in read_tree(COMMANDS) if shape.command is not None and shape.path not in _GO_ON]
# What a process can be given: any bytes but NUL, decoded as Python decodes its arguments.
ANY_VALUE = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    st.binary(max_size=6).map(lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape")),
    st.sampled_from(["0", "-1", "1e9", "NaN", "inf", "", " ", "--", "BTCUSDT", "position:1", "7d", "99999999999d"]),
    st.integers().map(str),
).map(lambda value: "_" + value if value.startswith("/") else value)  # nothing is written to the machine itself


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BotHome]:
    """A home whose exchange cannot be reached; what a line writes into the current directory goes elsewhere."""
    made = BotHome(tmp_path_factory.mktemp("any") / "a bot")
    (made.path / ".env").write_text(f"BINANCE_REST_URL={_NOWHERE}\nBINANCE_API_KEY=k\nBINANCE_API_SECRET=s\n")
    (made.path / ".env").chmod(0o600)
    with contextlib.chdir(tmp_path_factory.mktemp("here")):
        yield made
    made.close()


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command's words, some of its options with any values, and a few words too many."""
    shape: Shape = draw(st.sampled_from(SHAPES))
    words = list(shape.words)
    options = [option for option in shape.options if _FOLLOW not in option.names]
    for option in draw(st.lists(st.sampled_from(options), max_size=4)):
        words.append(draw(st.sampled_from(option.names)))
        if option.value is not None:
            words.append(draw(st.one_of(ANY_VALUE, st.sampled_from(option.value.choices or ("x",)))))
    words += draw(st.lists(ANY_VALUE, max_size=2))
    if shape.path == "service install":  # as root, and with --yes among the options, it would install
        words += ["--root", str(Path.cwd() / "root")]
    return words


def is_an_answer(answer: Answer, *, line: Sequence[str]) -> bool:
    """Whether it has a code of the contract and no traceback; under ``--json`` its documents say the same code."""
    told = [answer.code]
    if "--json" in line and answer.out.startswith("{"):
        told += [json.loads(document).get("exit_code", answer.code) for document in answer.out.splitlines()]
    return answer.code in _CODES and set(told) == {answer.code} and "Traceback" not in answer.out + answer.err


@given(words=lines())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_options_of_any_command(home: BotHome, words: list[str]) -> None:
    """Values of every kind in the options of every command."""
    answer = home.ask(*words)

    assert is_an_answer(answer, line=words), f"{shlex.join(words)}: {answer}"


@given(words=st.lists(ANY_VALUE, max_size=4), command=st.sampled_from(sorted(_GO_ON)))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_words(home: BotHome, words: list[str], command: str) -> None:
    """Words that are no commands, and mistakes behind those that would go on."""
    answer = home.ask("--", *words)
    assert is_an_answer(answer, line=words), f"{shlex.join(words)}: {answer}"
    wrong = [*command.split(), "--no-such-option", *words]
    assert home.ask(*wrong).code in {ExitCode.USAGE, ExitCode.OK}  # OK: --help was among the words


@given(
    written=st.one_of(
        st.binary(max_size=60),
        st.lists(
            st.tuples(st.sampled_from([name.upper() for name in Settings.model_fields]), st.text(max_size=12)),
            max_size=4,
        ).map(lambda rows: "".join(f"{name}={value}\n" for name, value in rows).encode("utf-8", "surrogatepass")),
    )
)
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("command", ["config check", "config show"])
def test_any_settings_file(tmp_path_factory: pytest.TempPathFactory, command: str, written: bytes) -> None:
    """Any bytes in ``.env``, and any value of any setting."""
    place: Path = tmp_path_factory.mktemp("settings")
    (place / ".env").write_bytes(written)
    (place / ".env").chmod(0o600)
    line = ["--env-file", str(place / ".env"), "--home", str(place), *command.split(), "--json"]

    answer = thunes(*line)

    assert is_an_answer(answer, line=line), f"{written!r}: {answer}"


@pytest.mark.parametrize("place", ["", ".", "/"])
@pytest.mark.parametrize("command", ["validate", "tail", "stats"])
def test_a_place_without_a_name_is_no_trail(tmp_path: Path, command: str, place: str) -> None:
    """A script's empty variable is a plain 13, with what is wrong."""
    answer = thunes("--home", str(tmp_path), "audit", command, place)

    assert answer.code == 13
    assert "is a directory, not a file" in answer.err
