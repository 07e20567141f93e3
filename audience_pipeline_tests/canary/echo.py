"""A platform that repeats in each answer all it was sent: the worst that can happen to a secret on its way."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from threading import Thread

_ANSWERS = cycle((500, 200, 400, 429, 403, 409, 401))


class Echo(ThreadingHTTPServer):
    """Listens on a port of this machine, and remembers what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.heard: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Echo

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length") or 0)).decode(errors="replace")
        said = {"path": self.path, "headers": dict(self.headers.items()), "body": sent}
        self.server.heard.append(json.dumps(said))
        told = "; ".join(f"{name}: {value}" for name, value in self.headers.items())
        body = json.dumps({"error": {"code": told, "message": told}, "id": told, "errors": [said], "status": told})
        self.send_response(next(_ANSWERS))
        for name in ("X-Request-Id", "Retry-After"):
            self.send_header(name, told.replace("\r", "").replace("\n", ""))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names http.server looks for

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def echo() -> Iterator[Echo]:
    """Have such a platform."""
    server = Echo()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
