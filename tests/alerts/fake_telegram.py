"""Telegram on loopback, as bad as it is told to be; and an address that takes signs of life."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

TOKEN = "7654321098:CANARY-telegram-token_abcdefghij"
CHAT = "42"


class Taken(NamedTuple):
    """A message in the chat."""

    at: float
    chat: str
    text: str
    silent: bool


@dataclass
class FakeTelegram:
    """Serves until :meth:`close`. ``script`` holds what the next sendMessage calls do; then all do ``usual``.

    ``ok`` · ``slow`` (a third of a second) · ``hang`` (until it is closed) · ``cut`` (taken, no answer) ·
    ``swallow`` (taken, and hangs) · ``cut_before`` · ``drip`` (an answer that never ends) · ``flood N`` (429) ·
    ``flood_untold`` · ``token`` (401) · ``chat`` (400) · ``blocked`` (403) · ``moved N`` · ``refuse`` (400 of the
    text) · ``garbage`` · ``list`` · ``html`` · ``broken`` (502 with JSON) · ``empty`` · ``not_ok`` (200 that says no) ·
    ``nonsense`` (400, no reason).
    """

    usual: str = "ok"
    script: deque[str] = field(default_factory=deque)
    chats: tuple[tuple[int, str], ...] = ()
    taken: list[Taken] = field(default_factory=list)
    calls: list[tuple[float, str]] = field(default_factory=list)
    beats: list[tuple[str, str, str]] = field(default_factory=list)
    beat_status: int = 200

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        """Stop serving, and let go of who hangs."""
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def texts(self) -> list[str]:
        """What the chat shows."""
        return [message.text for message in self.taken]

    def settings(self, **more: str) -> dict[str, str]:
        """How a home finds it."""
        return {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_CHAT_ID": CHAT,
            "TELEGRAM_API_URL": self.url,
            **more,
        }

    # -- behaviour ---------------------------------------------------------------------------------------------

    def answer(self, method: str, payload: dict[str, Any]) -> tuple[int, Any] | None:
        """Status and body; None: the connection is cut."""
        if method == "getMe":
            return 200, {"ok": True, "result": {"id": 1, "is_bot": True, "username": "thunes_test_bot"}}
        if method == "getUpdates":
            found = [
                {"update_id": number, "message": {"chat": {"id": chat, "title": title}}}
                for number, (chat, title) in enumerate(self.chats)
            ]
            return 200, {"ok": True, "result": found}
        name, _, argument = (self.script.popleft() if self.script else self.usual).partition(" ")
        return self._send(name, argument, payload)

    def _send(self, name: str, argument: str, payload: dict[str, Any]) -> tuple[int, Any] | None:
        wrong: dict[str, Callable[[], tuple[int, Any] | None]] = {
            "flood": lambda: (429, _error(429, "Too Many Requests", retry_after=int(argument))),
            "flood_untold": lambda: (429, _error(429, "Too Many Requests")),
            "token": lambda: (401, _error(401, "Unauthorized")),
            "chat": lambda: (400, _error(400, "Bad Request: chat not found")),
            "blocked": lambda: (403, _error(403, "Forbidden: bot was blocked by the user")),
            "refuse": lambda: (400, _error(400, f"Bad Request: message is bad [{TOKEN}]")),
            "garbage": lambda: (200, b'{"ok": tru'),
            "list": lambda: (200, [1, 2]),
            "html": lambda: (403, b"<html>Blocked by your provider</html>"),
            "not_ok": lambda: (200, {"ok": False, "description": "something odd"}),
            "nonsense": lambda: (400, _error(400, "Bad Request: nothing we know")),
            "broken": lambda: (502, _error(502, "Bad Gateway")),
            "empty": lambda: (200, b""),
            "cut_before": lambda: None,
        }
        if name in wrong:
            return wrong[name]()
        if name == "moved" and str(payload["chat_id"]) != argument:
            return 400, _error(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=int(argument))
        if name == "hang":
            self._over.wait(60)
            return None
        if name == "slow":
            time.sleep(0.3)
        text, silent = str(payload["text"]), bool(payload.get("disable_notification"))
        if len(text.encode("utf-16-le")) // 2 > 4096:
            return 400, _error(400, "Bad Request: message is too long")
        self.taken.append(Taken(time.monotonic(), str(payload["chat_id"]), text, silent))
        if name == "swallow":
            self._over.wait(60)
        return None if name in {"cut", "swallow"} else (200, {"ok": True, "result": {"message_id": len(self.taken)}})


def _error(code: int, description: str, **parameters: int) -> dict[str, Any]:
    return {"ok": False, "error_code": code, "description": description} | (
        {"parameters": parameters} if parameters else {}
    )


def _handler(fake: FakeTelegram) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one class in a function
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._beat("")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not self.path.startswith("/bot"):
                self._beat(body.decode())
                return
            fake.calls.append((time.monotonic(), self.path.rpartition("/")[2]))
            if self.path.split("/")[1] != f"bot{TOKEN}":
                self._reply(404, _error(404, "Not Found"))
                return
            if fake.script and fake.script[0] == "drip":
                fake.script.popleft()
                self._drip()
                return
            answer = fake.answer(self.path.rpartition("/")[2], json.loads(body))
            if answer is None:
                self.close_connection = True
                return
            self._reply(*answer)

        def log_message(self, *_: object) -> None:
            """Tests look at what was taken."""

        def _beat(self, body: str) -> None:
            fake.beats.append((self.command, self.path, body))
            self._reply(fake.beat_status, b"OK")

        def _drip(self) -> None:
            """Headers, a byte at a time, without an end."""
            try:
                while not fake._over.wait(0.05):
                    self.wfile.write(b"H")
            except OSError:
                self.close_connection = True

        def _reply(self, status: int, body: Any) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                self.close_connection = True

    return Handler
