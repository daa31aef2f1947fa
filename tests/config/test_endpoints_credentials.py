"""Where each environment's exchange is, and which key goes there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from thunes_cli.config.credentials import Credentials, CredentialsMissing, credentials
from thunes_cli.config.endpoints import LIVE, TESTNET, Endpoints, endpoints
from thunes_cli.config.secrets import Secret
from thunes_cli.config.settings import Settings
from thunes_cli.errors import ConfigError

LIVE_KEY, LIVE_SECRET = Secret("live-key"), Secret("live-secret")
TEST_KEY, TEST_SECRET = Secret("test-key"), Secret("test-secret")
BOTH = {
    "binance_api_key": LIVE_KEY,
    "binance_api_secret": LIVE_SECRET,
    "binance_testnet_api_key": TEST_KEY,
    "binance_testnet_api_secret": TEST_SECRET,
}


def test_each_environment_has_its_own_addresses() -> None:
    """The testnet has no sapi: there is nothing a testnet key could be sent to in production."""
    assert endpoints(Settings(environment="live")) == LIVE
    assert endpoints(Settings(environment="testnet")) == TESTNET
    assert TESTNET.sapi_url is None
    assert not any("binance.com" in str(getattr(TESTNET, name)) for name in ("rest_url", "stream_url", "ws_api_url"))


def test_every_address_can_be_overridden() -> None:
    """As a loopback exchange, a proxy or another data centre needs it."""
    settings = Settings(
        environment="testnet",
        binance_rest_url="http://127.0.0.1:1/",
        binance_stream_url="ws://127.0.0.1:2",
        binance_ws_api_url="ws://127.0.0.1:3/ws-api/v3",
        binance_sapi_url="http://127.0.0.1:4",
    )

    assert endpoints(settings) == Endpoints(
        "http://127.0.0.1:1", "ws://127.0.0.1:2", "ws://127.0.0.1:3/ws-api/v3", "http://127.0.0.1:4"
    )


def test_the_simulator_is_embedded_unless_an_address_says_where() -> None:
    """`sim serve` offers everything on one port: the REST address is enough."""
    assert endpoints(Settings()) is None
    assert endpoints(Settings(binance_rest_url="http://[::1]:8080")) == Endpoints(
        "http://[::1]:8080", "ws://[::1]:8080", "ws://[::1]:8080/ws-api/v3", "http://[::1]:8080"
    )


@pytest.mark.parametrize(("environment", "key"), [("live", LIVE_KEY), ("testnet", TEST_KEY), ("sim", LIVE_KEY)])
def test_keys_are_chosen_by_environment(environment: str, key: Secret) -> None:
    """A live key never goes to the testnet, nor the other way round."""
    assert credentials(Settings(environment=environment, **BOTH)).api_key == key


@pytest.mark.parametrize(
    ("environment", "given"),
    [
        ("live", {"binance_testnet_api_key": TEST_KEY, "binance_testnet_api_secret": TEST_SECRET}),
        ("testnet", {"binance_api_key": LIVE_KEY, "binance_api_secret": LIVE_SECRET}),
        ("sim", {}),
    ],
)
def test_no_key_stands_in_for_another_environments(environment: str, given: dict[str, Secret]) -> None:
    """Missing is missing: 78 with the name of the setting."""
    with pytest.raises(CredentialsMissing) as raised:
        credentials(Settings(environment=environment, **given))

    assert raised.value.exit_code == 78


def test_a_simulator_served_elsewhere_takes_testnet_keys_too() -> None:
    """A .env written for the testnet works against a simulator."""
    settings = Settings(binance_testnet_api_key=TEST_KEY, binance_testnet_api_secret=TEST_SECRET)

    assert credentials(settings).api_key == TEST_KEY


def test_the_embedded_exchange_is_asked_with_its_own_key() -> None:
    """It knows no other; a real key lying in the environment must not break the demo, nor be sent anywhere."""
    own = Credentials(Secret("sim"), Secret("sim"), None, "embedded exchange")

    assert credentials(Settings(**BOTH), embedded=own) == own


def test_the_source_is_where_the_key_came_from() -> None:
    """For `config show` and the trail."""
    settings = Settings(environment="live", **BOTH).with_origins({"BINANCE_API_KEY": "/h/.env:2"})

    assert credentials(settings).source == "/h/.env:2"


def test_a_private_key_file_takes_the_place_of_the_secret(tmp_path: Path) -> None:
    """Ed25519: the secret stays in its file."""
    file = tmp_path / "key.pem"
    file.touch(mode=0o600)

    found = credentials(Settings(environment="live", binance_api_key=LIVE_KEY, binance_private_key_file=file))

    assert found == Credentials(LIVE_KEY, None, file, "default")
    assert found.secrets() == (LIVE_KEY,)


@pytest.mark.parametrize("flaw", ["absent", "readable", "directory", "foreign"])
def test_a_private_key_that_is_not_private_is_refused(flaw: str, tmp_path: Path) -> None:
    """As ssh does."""
    file = tmp_path / "key.pem"
    if flaw == "readable":
        file.touch()
        file.chmod(0o640)
    elif flaw == "directory":
        file.mkdir(mode=0o700)
    elif flaw == "foreign":
        if os.geteuid() != 0:
            pytest.skip("only root can make another user's files")
        file.touch(mode=0o600)
        os.chown(file, 65534, -1)

    with pytest.raises(ConfigError, match=r"key\.pem"):
        credentials(Settings(environment="live", binance_api_key=LIVE_KEY, binance_private_key_file=file))
