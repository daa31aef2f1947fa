"""Subscribing to the account and reading its events, by Binance's documentation of the WebSocket API."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from thunes_cli.clock import Clock
from thunes_cli.config.credentials import Credentials
from thunes_cli.config.secrets import Secret
from thunes_cli.errors import ConfigError
from thunes_cli.exchange.account_line import AccountLine, execution
from thunes_cli.exchange.line import Heard
from thunes_cli.exchange.replies import MalformedReply
from thunes_cli.exchange.signing import signed
from thunes_cli.exchange.socket import SocketLost

PARAMS = {"timestamp": 1_700_000_000_000, "recvWindow": 5000}
HMAC = Credentials(Secret("the key"), Secret("the secret"), None, "test")


def report(**changes: Any) -> dict[str, Any]:
    """An ``executionReport`` of a filled market BUY, as the documentation shows it."""
    return {
        "e": "executionReport",
        "E": 1_700_000_000_100,
        "s": "BTCUSDT",
        "c": "thabcdefghi-B-1",
        "S": "BUY",
        "o": "MARKET",
        "f": "GTC",
        "q": "0.00060000",
        "p": "0.00000000",
        "P": "0.00000000",
        "F": "0.00000000",
        "g": -1,
        "C": "",
        "x": "TRADE",
        "X": "FILLED",
        "r": "NONE",
        "i": 42,
        "l": "0.00060000",
        "z": "0.00060000",
        "L": "20000.00000000",
        "n": "0.00000060",
        "N": "BTC",
        "T": 1_700_000_000_090,
        "t": 7,
        "v": 3,
        "I": 100,
        "w": False,
        "m": False,
        "M": True,
        "O": 1_700_000_000_090,
        "Z": "12.00000000",
        "Y": "12.00000000",
        "Q": "12.00000000",
        "W": 1_700_000_000_090,
        "V": "NONE",
        **changes,
    }


class TestExecution:
    """From an event to our words."""

    def test_a_trade_tells_order_and_fill(self):
        """Everything that booking needs is in the event."""
        found = execution(report())
        assert (found.client_order_id, found.order_id, found.status) == ("thabcdefghi-B-1", 42, "FILLED")
        (trade,) = found.trades
        assert (trade.trade_id, str(trade.quantity), str(trade.quote_quantity)) == (7, "0.00060000", "12.00000000")
        assert (str(trade.commission), trade.commission_asset) == ("6.0E-7", "BTC") or trade.commission_asset == "BTC"

    def test_a_canceled_order_is_known_by_its_own_id(self):
        """``c`` is the cancel's id then; ``C`` the one it was placed with."""
        found = execution(report(x="CANCELED", X="CANCELED", c="the cancel", C="thabcdefghi-B-1", t=-1, N=None))
        assert found.client_order_id == "thabcdefghi-B-1"
        assert found.trades == ()

    def test_without_a_fee_asset_the_trade_is_asked_for(self):
        """A testnet without commissions says null; what asset REST will name nobody knows."""
        assert execution(report(N=None, n="0")).trades == ()

    @pytest.mark.parametrize("missing", ["s", "S", "i", "X", "z", "O", "t", "L"])
    def test_an_event_that_lacks_something_is_malformed(self, missing):
        """Said, never guessed."""
        event = report()
        del event[missing]
        with pytest.raises(MalformedReply):
            execution(event)


def holds(verify: Callable[..., None], *signed_text: Any) -> bool:
    """Whether a signature is that of the text."""
    try:
        verify(*signed_text)
    except InvalidSignature:
        return False
    return True


class TestSigning:
    """By whatever the key has."""

    def test_hmac_over_sorted_raw_text(self):
        """Parameters sorted by name, key included, not percent-encoded."""
        found = signed(PARAMS, HMAC)
        payload = b"apiKey=the key&recvWindow=5000&timestamp=1700000000000"
        assert found["signature"] == hmac.new(b"the secret", payload, hashlib.sha256).hexdigest()

    def test_ed25519_from_file_or_text(self, tmp_path: Path):
        """The better keys; a comment before the key does no harm."""
        key = ed25519.Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = tmp_path / "key.pem"
        file.write_bytes(b"# of the bot\n" + pem)
        for credentials in (
            Credentials(Secret("k"), None, file, "test"),
            Credentials(Secret("k"), None, None, "test", Secret(pem.decode())),
        ):
            signature = base64.b64decode(str(signed(PARAMS, credentials)["signature"]))
            assert holds(key.public_key().verify, signature, b"apiKey=k&recvWindow=5000&timestamp=1700000000000")

    def test_rsa(self):
        """Old keys sign too."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        found = signed(PARAMS, Credentials(Secret("k"), None, None, "test", Secret(pem.decode())))
        payload = b"apiKey=k&recvWindow=5000&timestamp=1700000000000"
        signature = base64.b64decode(str(found["signature"]))
        assert holds(key.public_key().verify, signature, payload, padding.PKCS1v15(), hashes.SHA256())

    def test_what_is_no_key_is_a_clear_error(self, tmp_path: Path):
        """The key itself is never in the message."""
        file = tmp_path / "key.pem"
        file.write_text("s3cret, but no key")
        with pytest.raises(ConfigError) as raised:
            signed(PARAMS, Credentials(Secret("k"), None, file, "test"))
        assert "s3cret" not in raised.value.message


class TestLine:
    """One subscription, from the request to its end."""

    def setup_method(self) -> None:
        self.sent: list[str] = []
        self.taken: list[Any] = []
        self.line = AccountLine(
            "ws://127.0.0.1:1/ws-api/v3", HMAC, Clock(), recv_window_ms=5000, take=self.taken.append
        )
        self.session = self.line.begin(self.sent.append)
        self.request = json.loads(self.sent[0])

    def hear(self, told: Any) -> Heard:
        return self.session.hear(json.dumps(told).encode())

    def test_it_subscribes_by_signature(self):
        """Any kind of key, and no session; the secret is not in the message."""
        assert self.request["method"] == "userDataStream.subscribe.signature"
        assert set(self.request["params"]) == {"apiKey", "timestamp", "recvWindow", "signature"}
        assert "the secret" not in self.sent[0]

    def test_the_answer_is_news_and_an_event_is_taken(self):
        """``{"subscriptionId":0,"event":{…}}``; balances alone say nothing new."""
        answer = {"id": self.request["id"], "status": 200, "result": {"subscriptionId": 0}, "rateLimits": []}
        assert self.hear(answer) is Heard.NEWS
        assert self.hear({"subscriptionId": 0, "event": report()}) is Heard.NEWS
        position = {"e": "outboundAccountPosition", "E": 1, "u": 1, "B": []}
        assert self.hear({"subscriptionId": 0, "event": position}) is Heard.NEWS
        assert self.taken == [report()]

    def test_a_refusal_says_why(self):
        """-2015 and the like: no connection worth keeping."""
        refused = {"id": self.request["id"], "status": 401, "error": {"code": -2015, "msg": "Invalid API-key, IP."}}
        with pytest.raises(SocketLost, match=r"Invalid API-key, IP\. \(-2015\)"):
            self.hear(refused)

    def test_a_shutdown_notice_has_a_shape_of_its_own(self):
        """No subscriptionId."""
        assert self.hear({"event": {"e": "serverShutdown", "E": 1}}) is Heard.LEAVING

    def test_the_end_of_the_subscription_ends_the_connection(self):
        """A revoked key, for one."""
        with pytest.raises(SocketLost):
            self.hear({"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": 1}})

    @pytest.mark.parametrize(
        "message", [b"", b"[]", b"null", b"{}", b'{"event":null}', b"\xff", b'{"id":"x"}', b"[" * 99999]
    )
    def test_garbage_is_passed_over(self, message):
        """Nothing is taken, nothing ends."""
        assert self.session.hear(message) is Heard.NOTHING
        assert self.taken == []

    def test_another_key_asks_for_a_new_connection_and_signs_it(self):
        """The seam of a key rotation."""
        renewals: list[str] = []
        self.line.connect_to(self.taken.append, renew=renewals.append)
        self.line.use(Credentials(Secret("new key"), Secret("s"), None, "test"))
        self.line.begin(self.sent.append)
        assert renewals == ["another API key"]
        assert json.loads(self.sent[1])["params"]["apiKey"] == "new key"
