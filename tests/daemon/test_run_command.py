"""``thunes run`` as a process: it checks, it beats, it ends in order, and only one of it runs."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3

import pytest
from daemon_processes import Home, make_home, serve, wait_for

from thunes_cli.clock import utc_now
from thunes_cli.ledger.connection import Ledger
from thunes_cli.ledger.daemon import start_job


def test_it_checks_and_ends_in_order_when_asked(home):
    """SIGTERM: the step in flight ends, the stop is on record, exit 0, and the answer says what was done."""
    process = home.start_daemon("--json")

    assert home.end(process) == 0

    document = json.loads(process.stdout.read())
    assert document["command"] == "run"
    assert document["data"]["ticks"] >= 1
    assert document["data"]["ran_s"] > 0
    assert home.daemon_row()["stopped_cleanly"] == 1
    assert home.daemon_row()["mode"] == "trading"
    names = [record["event"] for record in home.events]
    assert names[0] == "HOME_CREATED"
    assert names[-2:] == ["DAEMON_STOPPED", "CHECKPOINT_SIGNED"]
    assert {"DAEMON_STARTED", "CONFIGURATION_IN_FORCE", "ACCOUNT_BOUND", "DAEMON_READY"} <= set(names)


def test_status_shows_it_while_it_runs_and_after(home):
    """Pid, mode and a young heartbeat while it runs; not running afterwards, and that is no reason to worry."""
    process = home.start_daemon()

    daemon = home.answer("status")["data"]["daemon"]
    assert (daemon["running"], daemon["pid"], daemon["mode"]) == (True, process.pid, "trading")
    assert daemon["heartbeat_age_s"] < 5

    home.end(process)
    document = home.answer("status")
    assert document["data"]["daemon"]["running"] is False


def test_the_heart_beats(home):
    """The ledger's heartbeat goes on while the daemon has nothing to do."""
    home.start_daemon()

    first = home.daemon_row()["heartbeat_wall"]

    assert wait_for(lambda: home.daemon_row()["heartbeat_wall"] > first, "heartbeat")


def test_checks_follow_the_grid_of_market_time(home):
    """After the first check each is planned two seconds after a minute, later than the one before, none twice."""
    process = home.start_daemon()
    wait_for(lambda: home.checks() >= 5, "five checks")
    home.end(process)

    planned = [row["planned_at"] for row in home.rows("SELECT * FROM job_runs WHERE job = 'signal_check' ORDER BY id")]
    assert planned == sorted(set(planned))
    assert all(text.endswith(":02.000Z") for text in planned)


def test_a_second_daemon_is_told_about_the_first(home):
    """One daemon a home: 11, naming pid and command; neither a second daemon nor a single check gets in."""
    process = home.start_daemon()

    second, once = home.thunes("run"), home.thunes("run", "--once")

    assert (second.returncode, once.returncode) == (11, 11)
    assert f"pid {process.pid} (thunes run)" in second.stderr
    assert f"thunes --home '{home.path}' stop" in second.stderr


def test_kill_9_loses_nothing_and_the_next_start_goes_on(home):
    """The lock dies with the process; status tells the death; the next daemon runs and ends in order."""
    home.end(home.start_daemon(), signal.SIGKILL)

    assert home.daemon_row()["stopped_cleanly"] == 0
    assert "daemon_died" in {problem["code"] for problem in home.answer("status")["problems"]}

    assert home.end(home.start_daemon()) == 0
    assert home.daemon_row()["stopped_cleanly"] == 1


def test_ctrl_c_is_an_orderly_end_too(home):
    """SIGINT: exit 0."""
    assert home.end(home.start_daemon(), signal.SIGINT) == 0


def test_a_terminal_that_goes_away_is_an_orderly_end(home):
    """SIGHUP: exit 0."""
    assert home.end(home.start_daemon(), signal.SIGHUP) == 0


def test_under_nohup_it_stays(home):
    """What whoever started it has switched off stays switched off."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = home.start_daemon()
    finally:
        signal.signal(signal.SIGHUP, before)

    process.send_signal(signal.SIGHUP)
    checks = home.checks()

    assert wait_for(lambda: home.checks() > checks, "another check")
    assert home.end(process) == 0


def test_runs_that_a_crash_cut_off_are_ended_by_the_next_start(home):
    """A check that was under way at kill -9 is on record as failed, not as running for ever."""
    ledger = Ledger(home.path / "thunes.db")
    with ledger.write() as connection:
        start_job(connection, "signal_check", planned_at=utc_now(), started_at=utc_now())
    ledger.close()

    home.end(home.start_daemon())

    first = home.rows("SELECT outcome, detail FROM job_runs WHERE job = 'signal_check' ORDER BY id")[0]
    assert tuple(first) == ("failed", "its process ended")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param("UPDATE positions SET quantity = 'x'; PRAGMA user_version = 99", 78, id="newer"),
        pytest.param("PRAGMA application_id = 1", 5, id="not ours"),
    ],
)
def test_a_ledger_that_cannot_be_used_is_left_as_it_is(home, spoil, code):
    """Newer is 78, not a ledger of ours is 5; the file is not touched."""
    connection = sqlite3.connect(home.path / "thunes.db")
    connection.executescript(spoil)
    connection.close()
    before = (home.path / "thunes.db").read_bytes()

    done = home.thunes("run", "--duration", "5")

    assert done.returncode == code, done.stderr
    assert (home.path / "thunes.db").read_bytes() == before


def test_a_duration_ends_it(home):
    """``--duration`` is in seconds of the wall clock."""
    done = home.thunes("run", "--duration", "3", "--json")

    assert done.returncode == 0, done.stderr
    assert 3 <= json.loads(done.stdout)["data"]["ran_s"] < 6


def test_systemd_is_told(home, tmp_path):
    """READY when the gate is passed, WATCHDOG while it beats, STOPPING on the way out: on a real socket."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(tmp_path / "notify"))
    receiver.settimeout(20)
    process = home.start_daemon(NOTIFY_SOCKET=str(tmp_path / "notify"))
    wait_for(lambda: "daemon ready" in home.log, "readiness")
    process.send_signal(signal.SIGTERM)

    messages = [receiver.recv(4096).decode()]
    while not messages[-1].startswith("STOPPING=1"):
        messages.append(receiver.recv(4096).decode())

    receiver.close()
    assert process.wait(20) == 0
    assert "READY=1\nSTATUS=trading, BTCUSDT" in messages
    assert "WATCHDOG=1" in messages


def test_it_waits_for_an_exchange_that_is_not_there_yet(exchange, tmp_path):
    """It says what it waits for, trades as soon as it can, and can be stopped while it waits."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    waiting = make_home(tmp_path / "waiting", exchange.address, BINANCE_REST_URL=f"http://127.0.0.1:{port}")
    process = waiting.start("run")

    wait_for(lambda: "waiting for the exchange" in waiting.stderr, "word of waiting")
    assert waiting.daemon_row()["mode"] == "starting"
    assert waiting.end(process) == 0
    assert waiting.checks() == 0
    waiting.close()


def test_an_exchange_that_goes_away_is_survived(tmp_path):
    """Checks fail, one alert says so, the daemon stays; when the exchange is back they work again."""
    served = serve(tmp_path / "sim", "--speed", "60")
    home = make_home(tmp_path / "home", served.address, BREAKER_RESET_SECONDS="1")
    process = home.start_daemon()
    port = served.address["rest_url"].rpartition(":")[2]

    served.stop()
    wait_for(lambda: home.rows("SELECT 1 FROM job_runs WHERE job = 'signal_check' AND outcome = 'failed'"), "failure")
    assert home.answer("status")["data"]["feed"]["mode"] == "down"
    back = serve(tmp_path / "sim", "--speed", "60", "--port", port)
    before = home.checks()
    wait_for(lambda: home.checks() > before, "check after the outage")

    assert home.end(process) == 0
    alerts = home.rows("SELECT kind, phase FROM alerts WHERE key = 'signal_check' ORDER BY id")
    assert [tuple(row) for row in alerts] == [("job_failed", "began"), ("job_failed", "over")]
    assert "Traceback" not in home.log
    home.close()
    back.stop()


def test_asked_twice_it_leaves_at_once(tmp_path, exchange):
    """An exchange that never answers holds up an orderly end; asking again ends it, and says so (130)."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        home = make_home(
            tmp_path / "home",
            exchange.address,
            BINANCE_REST_URL=f"http://127.0.0.1:{silent.getsockname()[1]}",
            REQUEST_TIMEOUT_SECONDS="60",
        )
        process = home.start("run", "--speed", "1")
        silent.settimeout(20)
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        wait_for(lambda: "daemon stopping" in home.stderr, "word of stopping")

        assert home.end(process, signal.SIGINT) == 130

        connection.close()
    assert home.daemon_row()["stopped_cleanly"] == 0
    home.close()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["--speed", "fast"], 2, "--speed fast", id="speed that is no number"),
        pytest.param(["--speed", "0"], 2, "--speed 0", id="speed zero"),
        pytest.param(["--duration", "-1"], 2, "--duration -1", id="negative duration"),
        pytest.param(["--duration", "soon"], 2, "--duration 'soon'", id="duration that is no span"),
        pytest.param(["--once", "--duration", "5"], 2, "--once", id="once and duration"),
    ],
)
def test_nonsense_is_refused_before_anything_starts(home, words, code, said):
    """Usage errors are 2, say what was typed, and leave no trace of a start."""
    done = home.thunes("run", *words)

    assert done.returncode == code
    assert said in done.stderr
    assert not home.rows("SELECT 1 FROM daemon")


def test_speed_is_refused_with_real_money(tmp_path):
    """The live exchange's clock runs as ours does (78)."""
    home = Home(tmp_path / "live")
    home.thunes("init", "--environment", "live", "--confirm", "trade live")
    (home.path / ".env").write_text("ENVIRONMENT=live\nBINANCE_API_KEY=k\nBINANCE_API_SECRET=s\n")

    done = home.thunes("run", "--speed", "2")

    assert done.returncode == 78
    assert "--speed is for simulators" in done.stderr


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        pytest.param("MAX_POSITIONS", "-1", "MAX_POSITIONS", id="negative limit"),
        pytest.param("SYMBOLS", "NOSUCHCOIN", "no symbol NOSUCHCOIN", id="unknown symbol"),
        pytest.param("DEFAULT_QUOTE_AMOUNT", "1", "DEFAULT_QUOTE_AMOUNT 1", id="could never be sold"),
        pytest.param("STRATEGY", "hope", "hope", id="unknown strategy"),
        pytest.param("ENVIRONMENT", "testnet", "testnet", id="another environment"),
    ],
)
def test_bad_settings_are_one_clear_line(home, setting, value, said):
    """With nothing held: 78, what is wrong, and no traceback."""
    (home.path / ".env").write_text((home.path / ".env").read_text().replace(f"\n{setting}=", "\nIGNORED="))
    home.environ = {setting: value}
    if setting == "ENVIRONMENT":
        home.environ |= {"BINANCE_TESTNET_API_KEY": "k", "BINANCE_TESTNET_API_SECRET": "s"}

    done = home.thunes("run", "--duration", "5")

    assert done.returncode == 78, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_with_something_held_a_bad_setting_means_exits_only(tmp_path):
    """A home that holds a position starts whatever the settings say, sells, and buys nothing."""
    served = serve(tmp_path / "sim", "--speed", "600")
    home = make_home(tmp_path / "home", served.address)
    process = home.start_daemon()
    wait_for(lambda: home.rows("SELECT 1 FROM positions WHERE status = 'OPEN'"), "open position")
    home.end(process, signal.SIGKILL)
    held = home.rows("SELECT 1 FROM positions WHERE status = 'OPEN'")
    bought = len(home.rows("SELECT 1 FROM orders WHERE side = 'BUY'"))
    assert held

    home.environ = {"MAX_DAILY_LOSS": "-5"}
    process = home.start_daemon()
    wait_for(lambda: home.rows("SELECT 1 FROM positions WHERE status = 'CLOSED'"), "sale")

    status = home.answer("status")
    assert status["data"]["daemon"]["mode"] == "exits-only"
    assert "exits_only" in {problem["code"] for problem in status["problems"]}
    assert home.end(process) == 0
    assert len(home.rows("SELECT 1 FROM orders WHERE side = 'BUY'")) == bought
    home.close()
    served.stop()


def test_secrets_get_into_neither_log_nor_trail(home, exchange):
    """Key and secret are in no file of the home but ``.env``, and not on stderr."""
    home.end(home.start_daemon(LOG_LEVEL="DEBUG"))

    places = [path for path in home.path.rglob("*") if path.is_file() and path.name != ".env"]
    for secret in (exchange.address["api_key"], exchange.address["api_secret"]):
        assert secret not in home.stderr
        assert not [path for path in places if secret.encode() in path.read_bytes()]


def test_the_home_must_be_there(tmp_path):
    """10 with the command that makes one; nothing is created."""
    home = Home(tmp_path / "absent")

    done = home.thunes("run")

    assert done.returncode == 10
    assert "init" in done.stderr
    assert not home.path.exists()


def test_files_of_the_home_are_private(home):
    """Log, lock, ledger and trail: their owner's alone."""
    home.end(home.start_daemon())

    for name in ("thunes.log", "daemon.lock", "thunes.db", "audit_trail.jsonl"):
        assert (home.path / name).stat().st_mode & 0o077 == 0, name
