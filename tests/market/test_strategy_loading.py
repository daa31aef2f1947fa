"""Finding strategies: ours without a search, others through the entry points of really installed packages."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from market_cases import series

import thunes_cli.market.strategies as module
from thunes_cli.errors import ConfigError
from thunes_cli.market.strategies import StrategyBroken, known_strategies, load_strategy
from thunes_cli.model import Side

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install packages as an installer leaves them: a module and a ``.dist-info`` with its entry points."""
    added: list[str] = []
    monkeypatch.syspath_prepend(tmp_path)

    def _install(name: str, source: str, *, strategy: str, target: str) -> None:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = tmp_path / f"{name}_package-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-package\nVersion: 1.2\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[thunes.strategies]\n{strategy} = {target}\n", encoding="utf-8")
        added.append(name)
        importlib.invalidate_caches()

    yield _install
    for name in added:
        sys.modules.pop(name, None)


def test_the_documented_example_is_a_whole_strategy(install: Install) -> None:
    """The example in the module's documentation, installed as it stands, trades."""
    text = module.__doc__ or ""
    example = text[text.index("    from thunes_cli") : text.index("and in the ``pyproject.toml``")]
    install("breakout", textwrap.dedent(example), strategy="breakout", target="breakout:Breakout")

    strategy = load_strategy("breakout", "ETHUSDT", {"BREAKOUT_CANDLES": "3"})
    found = [strategy.update(candle) for candle in series([5, 6, 7, 8, 8, 2])]

    assert strategy.history_needed == 4
    assert [signal and (signal.side, signal.strategy, signal.symbol) for signal in found] == [
        None,
        None,
        None,
        (Side.BUY, "breakout", "ETHUSDT"),
        None,
        (Side.SELL, "breakout", "ETHUSDT"),
    ]
    assert found[3] is not None
    assert found[3].facts == {"close": "8"}


def test_an_unknown_name_lists_the_known_ones(install: Install) -> None:
    """A name nobody provides is a configuration error (78) that names ours and the installed ones."""
    install("other", "class Other: ...", strategy="momentum", target="other:Other")

    with pytest.raises(ConfigError, match="STRATEGY 'rsl' is unknown; known are momentum, rsi, sma") as unknown:
        load_strategy("rsl", "BTCUSDT", {})

    assert unknown.value.exit_code == 78
    assert known_strategies() == ("momentum", "rsi", "sma")


def test_nobody_can_take_the_names_of_ours(install: Install) -> None:
    """A package that offers a strategy called sma does not replace the built-in one."""
    install("impostor", "raise SystemExit('imported')", strategy="sma", target="impostor:Sma")

    assert load_strategy("sma", "BTCUSDT", {}).history_needed == 51


BROKEN = {
    "no such module": ("", "absent_module:Thing", "No module named 'absent_module'"),
    "no such class": ("", "broken:Thing", "has no attribute 'Thing'"),
    "fails to import": ("import absent_dependency", "broken:Thing", "absent_dependency"),
    "not callable": ("Thing = 5", "broken:Thing", "is not a class or function"),
    "fails to start": ("def Thing(symbol, params): raise KeyError('x')", "broken:Thing", "KeyError"),
    "ends the process when imported": ("import sys; sys.exit('no licence')", "broken:Thing", "no licence"),
    "ends the process when made": ("def Thing(symbol, params): raise SystemExit(3)", "broken:Thing", "SystemExit"),
    "wrong arguments": ("class Thing: ...", "broken:Thing", "TypeError"),
    "no update": ("class Thing:\n history_needed = 1\n def __init__(self, *a): ...", "broken:Thing", "update"),
    "no history": (
        "class Thing:\n history_needed = 0\n def __init__(self, *a): ...\n def update(self, candle): ...",
        "broken:Thing",
        "a positive history_needed",
    ),
}


@pytest.mark.parametrize(("source", "target", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_strategy_is_named_with_its_reason(install: Install, source: str, target: str, message: str) -> None:
    """What cannot be imported or made is a configuration error (78) in one line, not a traceback."""
    install("broken", source, strategy="mine", target=target)

    with pytest.raises(StrategyBroken, match="the strategy 'mine' cannot be used") as broken:
        load_strategy("mine", "BTCUSDT", {})

    assert broken.value.exit_code == 78
    assert message in broken.value.message
    assert "\n" not in broken.value.message


WHIMSICAL = """
    class Whim:
        history_needed = 1
        def __init__(self, symbol, params):
            self.answer = params["ANSWER"]
        def update(self, candle):
            return self.answer()
"""


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda: 1 / 0, id="raises"),
        pytest.param(lambda: sys.exit(1), id="ends the process"),
        pytest.param(lambda: "BUY", id="no advice"),
        pytest.param(lambda: module.Advice("HOLD"), id="no side"),  # type: ignore[arg-type]  # that is the point
    ],
)
def test_a_strategy_that_fails_on_a_candle_is_named(install: Install, answer: Callable[[], object]) -> None:
    """A strategy that raises, or answers nonsense, is reported by name and candle."""
    install("whim", WHIMSICAL, strategy="whim", target="whim:Whim")
    strategy = load_strategy("whim", "BTCUSDT", {"ANSWER": answer})

    with pytest.raises(StrategyBroken, match=r"'whim' cannot be used: it failed on the candle of 2024-01-01"):
        strategy.update(series([1])[0])


def test_a_parameter_error_of_a_third_party_stays_its_own(install: Install) -> None:
    """A ConfigError that a strategy raises about its parameters reaches the operator as it is."""
    source = """
        from thunes_cli.market.strategies import whole_number
        def Picky(symbol, params):
            whole_number(params, "PICKY_LENGTH", default=0)
    """
    install("picky", source, strategy="picky", target="picky:Picky")

    with pytest.raises(ConfigError, match="PICKY_LENGTH must be a positive whole number, not -1"):
        load_strategy("picky", "BTCUSDT", {"PICKY_LENGTH": -1})


def test_two_packages_with_one_name_are_not_chosen_between(install: Install) -> None:
    """When several packages provide a name, both are named and neither is used."""
    install("one", "class A: ...", strategy="twin", target="one:A")
    install("two", "class B: ...", strategy="twin", target="two:B")

    with pytest.raises(StrategyBroken, match="several packages provide it: one:A, two:B"):
        load_strategy("twin", "BTCUSDT", {})


def test_built_in_strategies_load_without_reading_package_metadata() -> None:
    """Loading ours imports neither importlib.metadata nor anything heavy."""
    code = (
        "import sys; from thunes_cli.market.strategies import load_strategy; load_strategy('rsi', 'BTCUSDT', {}); "
        "print(*(m for m in ('importlib.metadata', 'pydantic', 'asyncio', 'binance') if m in sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


def test_the_declared_entry_points_are_the_built_in_ones() -> None:
    """What pyproject.toml declares for sma and rsi is what is loaded without looking there."""
    declared = {point.name: point.value for point in module._entry_points()}

    assert {name: declared.get(name) for name in module._BUILT_IN} == module._BUILT_IN
