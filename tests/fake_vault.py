"""A fake of HashiCorp Vault's KV version 2 at its HTTP paths."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hvs.a-token-of-the-test"


class FakeVault(ThreadingHTTPServer):
    """Vault's published contract of ``/v1/<mount>/data/<path>``: versions, check-and-set, 403 and 404 in its shapes."""

    daemon_threads = True

    def __init__(self, secret: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.versions: list[dict[str, Any]] = [secret]
        self.loses_answers = False  # of writes, which happen all the same
        self.is_sealed = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeVault

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refused(self) -> bool:
        if self.server.is_sealed:
            self._answer(503, {"errors": ["Vault is sealed"]})
            return True
        if self.headers.get("X-Vault-Token") != TOKEN:
            self._answer(403, {"errors": ["permission denied"]})
            return True
        if self.path != "/v1/secret/data/thunes/binance":
            self._answer(404, {"errors": []})
            return True
        return False

    def do_GET(self) -> None:
        if not self._refused():
            versions = self.server.versions
            metadata = {"version": len(versions), "destroyed": False, "deletion_time": ""}
            self._answer(200, {"data": {"data": versions[-1], "metadata": metadata}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._refused():
            return
        if body["options"]["cas"] != len(self.server.versions):
            self._answer(400, {"errors": ["check-and-set parameter did not match the current version"]})
            return
        self.server.versions.append(body["data"])
        if self.server.loses_answers:
            self.close_connection = True
            return
        self._answer(200, {"data": {"version": len(self.server.versions)}})
