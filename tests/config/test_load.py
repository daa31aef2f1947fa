"""From files and environment to settings: order, origins, and everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thunes_cli.config.faults import SettingsInvalid
from thunes_cli.config.fields import as_text
from thunes_cli.config.layer import Entry, Layer
from thunes_cli.config.load import load_settings
from thunes_cli.config.secrets import Secret
from thunes_cli.config.settings import NAMES, SECRETS, Settings
from thunes_cli.model import TIMEFRAMES, Environment

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = ".env") -> Path:
        file = tmp_path / name
        file.write_text(text)
        file.chmod(0o600)
        return file

    return write


def problems(home: Path, **environ: str) -> list[str]:
    with pytest.raises(SettingsInvalid) as raised:
        load_settings(home, environ)
    assert raised.value.exit_code == 78
    assert raised.value.message == "; ".join(str(problem) for problem in raised.value.problems)
    return [str(problem) for problem in raised.value.problems]


def test_nothing_is_needed_on_the_simulator(tmp_path: Path) -> None:
    """No file, no variable: the defaults of the contract."""
    settings = load_settings(tmp_path, {}).settings

    assert settings.environment is Environment.SIM
    assert settings.symbols == ("BTCUSDT",)
    assert settings.default_quote_amount == Decimal(12)
    assert settings.max_loss_per_trade == Decimal(15)
    assert settings.max_daily_loss == Decimal(20)
    assert settings.stop_loss_pct == Decimal(3)
    assert settings.daily_summary_utc == time(23, 0, tzinfo=UTC)
    assert set(settings.origins.values()) == {"default"}


def test_environment_wins_over_the_file_and_origins_say_so(tmp_path: Path, write: Write) -> None:
    """Where each value came from is kept; an empty variable does not hide the file's value."""
    file = write("\nMAX_DAILY_LOSS=7\nMAX_POSITIONS=2\nSMA_FAST=5\n")

    settings = load_settings(tmp_path, {"MAX_DAILY_LOSS": "9", "MAX_POSITIONS": ""}).settings

    assert (settings.max_daily_loss, settings.max_positions, settings.sma_fast) == (Decimal(9), 2, 5)
    assert settings.origin("MAX_DAILY_LOSS") == "environment"
    assert settings.origin("MAX_POSITIONS") == f"{file}:3"
    assert settings.origins["SMA_SLOW"] == "default"


def test_env_file_replaces_the_homes_own(tmp_path: Path, write: Write) -> None:
    """--env-file is instead of, not besides."""
    write("SMA_FAST=5\n")
    other = write("SMA_SLOW=60\n", "other.env")

    settings = load_settings(tmp_path, {}, env_file=other).settings

    assert (settings.sma_fast, settings.sma_slow) == (20, 60)


def test_an_env_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """It was named: something was meant by it."""
    with pytest.raises(SettingsInvalid, match="no such file"):
        load_settings(tmp_path, {}, env_file=tmp_path / "absent")


def test_one_problem_reads_as_one_clear_line(tmp_path: Path, write: Write) -> None:
    """Name, what is wrong, the value, the place."""
    file = write("MAX_DAILY_LOSS=-5\n")

    assert problems(tmp_path) == [f"MAX_DAILY_LOSS: must be at least 0 (is -5), {file}:1"]


def test_all_problems_are_reported_at_once(tmp_path: Path, write: Write) -> None:
    """Slips in the file, values that are none, and limits that contradict each other."""
    file = write("MAX_DALY_LOSS=1\nSMA_FAST=60\nRSI_PERIOD=x\nMAX_POSITIONS=1\nMAX_POSITIONS=2\n")

    assert problems(tmp_path, STOP_LOSS_PCT="100") == [
        f"MAX_DALY_LOSS: no such setting; did you mean MAX_DAILY_LOSS?, {file}:1",
        f"MAX_POSITIONS: given twice, first in line 4, {file}:5",
        f"RSI_PERIOD: must be a whole number (is x), {file}:3",
        "STOP_LOSS_PCT: must be less than 100 (is 100), from the environment",
        f"SMA_FAST: must be less than SMA_SLOW, 50 (is 60), {file}:2",
    ]


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("ENVIRONMENT", "prod", "must be sim, testnet or live (is prod)"),
        ("RECV_WINDOW_MS", "0", "must be at least 1 (is 0)"),
        ("RECV_WINDOW_MS", "60001", "must be at most 60000 (is 60001)"),
        ("STOP_LOSS_PCT", "0", "must be more than 0 (is 0)"),
        ("STOP_LOSS_PCT", "nan", "must be a number (is nan)"),
        ("DEFAULT_QUOTE_AMOUNT", "Infinity", "must be a number (is Infinity)"),
        ("DEFAULT_QUOTE_AMOUNT", "12,5", "must be a number (is 12,5)"),
        ("REQUEST_TIMEOUT_SECONDS", "inf", "must be a number (is inf)"),
        ("STOP_LOSS_PCT", "3.000000001", "must have at most 8 decimals, as the exchange counts (is 3.000000001)"),
        ("COOL_DOWN_MINUTES", "1e308", "must be at most 31536000 (is 1e308)"),
        ("MAX_DAILY_LOSS", "1e13", "must be at most 1000000000000 (is 1e13)"),
        ("MAX_DAILY_LOSS", "1e99999", "must be at most 1000000000000 (is 1e99999)"),
        ("BACKUP_DIR", "~nobody-has-this-name/x", "must be an absolute path (is ~nobody-has-this-name/x)"),
        ("COOL_DOWN_MINUTES", "inf", "must be a number (is inf)"),
        ("COOL_DOWN_MINUTES", "1h", "must be a number (is 1h)"),
        ("MAX_POSITIONS", "1.5", "must be a whole number (is 1.5)"),
        ("MAX_POSITIONS", "-1", "must be at least 0 (is -1)"),
        ("DEFAULT_TIMEFRAME", "7m", f"must be one of {', '.join(TIMEFRAMES)} (is 7m)"),
        ("DAILY_SUMMARY_UTC", "24:00", "must be a time of day, HH:MM, such as 23:00 (is 24:00)"),
        ("SYMBOLS", " , ", "must name at least one symbol, such as BTCUSDT,ETHUSDT (is ,)"),
        ("SYMBOLS", "BTC/USDT", "must be a symbol as the exchange writes it, such as BTCUSDT (is BTC/USDT)"),
        ("ACCEPT_KEY_THAT_MAY_WITHDRAW", "maybe", "must be true or false (is maybe)"),
        ("FEED", "tape", "must be auto or rest (is tape)"),
        ("LOG_LEVEL", "LOUD", "must be DEBUG, INFO, WARNING or ERROR (is LOUD)"),
        ("BINANCE_REST_URL", "127.0.0.1:8080", "must be an address such as https://host:port (is 127.0.0.1:8080)"),
        ("BINANCE_REST_URL", "http://127.0.0.1:99999", "must be an address such as https://host:port (is http://127.0.0.1:99999)"),
        ("BINANCE_REST_URL", "https://h/api/v3/", "must be given without /api/v3: that is added (is https://h/api/v3/)"),
        ("BINANCE_REST_URL", "http://10.0.0.1", "must begin with https:// (unencrypted only to this machine itself) (is http://10.0.0.1)"),
        ("BINANCE_WS_API_URL", "wss://h", "must end with /ws-api/v3 (is wss://h)"),
        ("BINANCE_STREAM_URL", "https://h", "must be an address such as wss://host:port (is https://h)"),
        ("BACKUP_DIR", "backups", "must be an absolute path (is backups)"),
        ("SIM_CANDLES", "/a.csv,b.csv", "must be an absolute path (is /a.csv,b.csv)"),
        ("TELEGRAM_CHAT_ID", "me", "must be a chat's number, or @ and a channel's name (is me)"),
        ("STRATEGY", "a b", "must be one word, the name of a strategy (is a b)"),
    ],
)  # fmt: skip
def test_what_is_refused_and_in_which_words(name: str, value: str, what: str, tmp_path: Path) -> None:
    """Each kind of value, in the operator's words."""
    assert f"{name}: {what}, from the environment" in problems(tmp_path, **{name: value})


@pytest.mark.parametrize("name", sorted(SECRETS))
@pytest.mark.parametrize("value", ["canary 7f3a", "canary\u200b7f3a"])
def test_a_secret_is_never_in_an_error(name: str, value: str, tmp_path: Path, write: Write) -> None:
    """Not in the message, not in the exception's chain."""
    write(f"{name}='{value}'\n")

    with pytest.raises(SettingsInvalid) as raised:
        load_settings(tmp_path, {})

    assert "canary" not in raised.value.message
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    """An address is shown, but not with what is before its @."""
    assert "canary" not in problems(tmp_path, BINANCE_REST_URL="https://me:canary@host")[0]


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("btcusdt, ETHUSDT ,,btcUSDT", ("BTCUSDT", "ETHUSDT")),
        ("币安人生USDT", ("币安人生USDT",)),
        ("straßeUSDT", ("STRAßEUSDT",)),
    ],
    ids=["comma list", "chinese", "not ascii"],
)
def test_symbols_are_upper_case_ascii_and_kept_otherwise(text: str, symbols: tuple[str, ...], tmp_path: Path) -> None:
    """Names that are not ASCII are the exchange's; each symbol is traded once."""
    assert load_settings(tmp_path, {"SYMBOLS": text}).settings.symbols == symbols


def test_default_symbol_is_what_is_traded_without_a_list(tmp_path: Path) -> None:
    """SYMBOLS defaults to DEFAULT_SYMBOL."""
    assert load_settings(tmp_path, {"DEFAULT_SYMBOL": "ethusdt"}).settings.symbols == ("ETHUSDT",)


ASKING = {"AWS_SECRET_ID", "VAULT_SECRET_PATH"}  # with these a store would be asked


@given(st.decimals(min_value="0.00000001", max_value="15", places=8))
def test_money_is_exact(amount: Decimal) -> None:
    """From text to Decimal, to the last digit."""
    settings = load_settings(None, {"DEFAULT_QUOTE_AMOUNT": format(amount, "f")}).settings

    assert settings.default_quote_amount == amount
    assert str(settings.default_quote_amount) == str(Decimal(format(amount, "f")))


@given(st.sampled_from(sorted(set(NAMES) - ASKING)), st.text(alphabet=st.characters()))
def test_no_text_makes_loading_crash(name: str, text: str) -> None:
    """Whatever somebody writes, it is either a value or a problem."""
    try:
        settings = load_settings(None, {name: text}).settings
    except SettingsInvalid as error:
        assert error.problems  # noqa: PT017 - either outcome is right
    else:
        assert as_text(settings.value(name)).isprintable()


def test_a_source_between_two_others_wins_by_its_place(tmp_path: Path, write: Write) -> None:
    """The seam for stores of secrets: one more source in the list; its name is the origin."""
    write("BINANCE_API_KEY=from-file\n")
    layer = Layer({"BINANCE_API_KEY": Entry("from-store", "vault:kv/thunes"), "NOT_OURS": Entry("x", "vault")})
    store = SimpleNamespace(name="vault", read=lambda: layer)

    settings = load_settings(tmp_path, {}, sources=[store]).settings

    assert settings.binance_api_key == Secret("from-store")
    assert settings.origin("BINANCE_API_KEY") == "vault:kv/thunes"


def test_a_strategy_of_somebody_elses_gets_the_settings_that_bear_its_name(tmp_path: Path, write: Write) -> None:
    """And nobody else's: not the keys, not another program's password."""
    write("STRATEGY=break-out\nBREAK_OUT_CANDLES=30\nDATABASE_PASSWORD=x\nSMA_FAST=5\n")

    params = load_settings(tmp_path, {"BREAK_OUT_EDGE": "2", "BREAK_OUT_EMPTY": ""}).settings.strategy_params

    assert params == {
        "SMA_FAST": 5,
        "SMA_SLOW": 50,
        "RSI_PERIOD": 14,
        "RSI_OVERSOLD": Decimal(30),
        "RSI_OVERBOUGHT": Decimal(70),
        "BREAK_OUT_CANDLES": "30",
        "BREAK_OUT_EDGE": "2",
    }


class TestRelaxed:
    """A start that may only sell: a bad setting must not keep what is held from being sold."""

    def test_bad_limits_fall_back_and_are_returned(self, tmp_path: Path, write: Write) -> None:
        """Defaults take their place, entries are ruled out, sound settings stay."""
        write("MAX_DAILY_LOSS=-5\nSMA_FAST=60\nSTREAM_STALE_SECONDS=30\nMAX_POSITIONS=9\n")

        loaded = load_settings(tmp_path, {}, relaxed=True)

        assert [problem.settings[0] for problem in loaded.problems] == ["MAX_DAILY_LOSS", "SMA_FAST"]
        assert loaded.settings.max_daily_loss == Decimal(20)
        assert (loaded.settings.sma_fast, loaded.settings.sma_slow) == (20, 50)
        assert loaded.settings.stream_stale_seconds == 30
        assert loaded.settings.max_positions == 0
        assert loaded.settings.origin("MAX_POSITIONS") == "fallback"

    def test_nothing_changes_when_nothing_is_wrong(self, tmp_path: Path, write: Write) -> None:
        """Relaxed loading of sound settings is plain loading."""
        write("MAX_POSITIONS=2\n")

        loaded = load_settings(tmp_path, {}, relaxed=True, environment=Environment.LIVE)

        assert loaded == load_settings(tmp_path, {})
        assert loaded.problems == ()

    @pytest.mark.parametrize("text", ["ENVIRONMENT=livee\n", "\xff"])
    def test_the_homes_own_environment_stands_in_for_one_that_cannot_be_read(
        self, text: str, tmp_path: Path, write: Write
    ) -> None:
        """A slip in ENVIRONMENT must not send a live home to the simulator."""
        write("").write_bytes(text.encode("latin-1"))

        loaded = load_settings(tmp_path, {}, relaxed=True, environment=Environment.LIVE)

        assert loaded.problems
        assert loaded.settings.environment is Environment.LIVE

    def test_a_readable_file_keeps_its_keys(self, tmp_path: Path, write: Write) -> None:
        """Without them nothing could be sold."""
        write("BINANCE_API_KEY=a\nBINANCE_API_SECRET=b\n").chmod(0o644)

        loaded = load_settings(tmp_path, {}, relaxed=True)

        assert len(loaded.problems) == 1
        assert loaded.settings.binance_api_secret == Secret("b")

    def test_of_a_key_given_twice_the_last_counts(self, tmp_path: Path, write: Write) -> None:
        """As for every shell; it is a problem all the same."""
        write("BINANCE_API_KEY=old\nBINANCE_API_KEY=new\n")

        assert load_settings(tmp_path, {}, relaxed=True).settings.binance_api_key == Secret("new")

    def test_the_exchanges_address_is_not_guessed(self, tmp_path: Path) -> None:
        """Production is no fallback for a simulator's address."""
        with pytest.raises(SettingsInvalid):
            load_settings(tmp_path, {"BINANCE_REST_URL": "nonsense"}, relaxed=True)


def test_settings_cannot_be_changed() -> None:
    """What is in force stays in force until it is loaded again."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().max_positions = 9  # type: ignore[misc]  # that is the point


def test_building_settings_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the loader looks at the environment."""
    monkeypatch.setenv("MAX_POSITIONS", "9")

    assert Settings().max_positions == 3
