"""The sandbox's HTTP: one thread a connection, connections kept alive, nothing but this machine served.

Belongs here: requests in, replies out, authentication, and what a fault does to a connection. Does not belong here:
what the platform takes or says (:mod:`.platform`).

A key is whatever is sent as `Authorization: Bearer KEY`, unless it begins with `revoked`; an account is what
`X-Account` names. Like some real platforms, the sandbox repeats a key that it does not accept.
"""

import logging
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from audience_pipeline.errors import UsageError
from audience_pipeline.sandbox.faults import Fault, FaultPlan, Operation, decode_faults
from audience_pipeline.sandbox.platform import Platform, Reply, problem

_LARGEST_BODY = 64 * 2**20
_KEY_LENGTHS = range(16, 256)
_REVOKED = "revoked"
_RESET = struct.pack("ii", 1, 0)
"""Linger for no time: the connection ends with a reset."""
_log = logging.getLogger(__name__)
_Route: TypeAlias = tuple[Operation, Callable[[Fault | None], Reply]]


class SandboxServer(ThreadingHTTPServer):
    """The listening socket, and what the connections share."""

    request_queue_size = 128

    def __init__(self, port: int, platform: Platform, faults: FaultPlan) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.platform, self.faults = platform, faults
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def server_bind(self) -> None:
        """Bind, without asking a name server what this machine is called."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - types of the base
        """Log what a connection's thread did not expect; one that was cut, or ends with the sandbox, is expected."""
        if not self.stopping.is_set():
            _log.exception("a request failed")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sandbox", ""
    # Headers and body leave together, and at once: half an answer that waits for an acknowledgement costs 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: SandboxServer

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_GET  # noqa: N815 - the base's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: ANN401 - the base's signature
        """Log no requests: rehearsals make many."""

    def _answer(self) -> None:
        try:
            self.body = self._read()
            reply = self._admin() if self.path.startswith("/admin/") else self._operation()
        except _RefusedRequestError as refused:
            reply = refused.reply
        if reply is not None:
            self._send(reply)

    def _read(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _LARGEST_BODY:
            self.close_connection = True
            raise _RefusedRequestError(problem(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", "no usable Content-Length"))
        return self.rfile.read(int(length))

    def _send(self, reply: Reply) -> None:
        body = msgspec.json.encode(reply.body)
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _admin(self) -> Reply:
        """Answer those who run the sandbox: who is in effect, which faults are on."""
        if self.path == "/admin/audiences":
            return Reply(HTTPStatus.OK, {"audiences": self.server.platform.audiences()})
        if self.path != "/admin/faults":
            return _not_found()
        if self.command == "PUT":
            try:
                self.server.faults.replace(decode_faults(self.body, "the request"))
            except UsageError as error:
                return problem(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", str(error))
        return Reply(HTTPStatus.OK, {"faults": self.server.faults.listing()})

    def _operation(self) -> Reply | None:
        """Answer the platform's own API, unless a fault does; None leaves the caller without an answer."""
        operation, perform = self._route()
        fault = self.server.faults.draw(operation)
        kind = fault.kind if fault else None
        if fault is not None and kind == "slow":
            self.server.stopping.wait(fault.seconds)
        if fault is not None and kind in _INSTEAD:
            return self._instead(fault)
        if kind == "reset_before_accepting":
            self._reset()
            return None
        reply = perform(fault)
        if fault is not None and kind == "timeout_after_accepting":
            self.server.stopping.wait(fault.seconds)
            self.close_connection = True
            return None
        return reply

    def _route(self) -> _Route:
        """Return what is asked for."""
        platform, account, url = self.server.platform, self._account(), urlsplit(self.path)
        match self.command, url.path.split("/")[1:]:
            case "GET", ["v1", "account"]:
                return "validate", lambda _: Reply(HTTPStatus.OK, {"account": account})
            case "POST", ["v1", "activations"]:
                key = self._key(self.headers.get("Idempotency-Key"))
                return "submit", lambda fault: platform.submit(account, key, self.body, fault)
            case "GET", ["v1", "activations"]:
                key = self._key(parse_qs(url.query).get("idempotency_key", [None])[0])
                return "find", lambda _: platform.find(account, key)
            case "GET", ["v1", "activations", reference]:
                return "poll", lambda fault: platform.poll(account, reference, fault)
            case "POST", ["v1", "activations", reference, "deactivate"]:
                return "withdraw", lambda _: platform.withdraw(account, reference)
        raise _RefusedRequestError(_not_found())

    def _account(self) -> str:
        """Return whose call it is."""
        if not self._secret() or self._secret().startswith(_REVOKED):
            raise _RefusedRequestError(self._unauthorized())
        return unquote(self.headers.get("X-Account", "default"))

    def _secret(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _unauthorized(self) -> Reply:
        message = f"the key {self._secret()!r} is not accepted"
        return problem(HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED", message)

    def _key(self, key: str | None) -> str:
        if key is None or len(key) not in _KEY_LENGTHS:
            message = f"an idempotency key has {_KEY_LENGTHS.start} to {_KEY_LENGTHS.stop - 1} characters"
            raise _RefusedRequestError(problem(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", message))
        return key

    def _instead(self, fault: Fault) -> Reply:
        """Return what a fault says in the place of the platform."""
        if fault.kind == "unauthorized":
            return self._unauthorized()
        headers = {"Retry-After": f"{fault.retry_after:g}"} if fault.kind == "rate_limited" else {}
        return Reply(_INSTEAD[fault.kind].status, _INSTEAD[fault.kind].body, headers)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()


class _RefusedRequestError(Exception):
    """A request that is answered before it comes to an operation."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def _not_found() -> Reply:
    return problem(HTTPStatus.NOT_FOUND, "NO_SUCH_PATH", "there is nothing here")


_INSTEAD: Mapping[str, Reply] = {
    "rate_limited": problem(HTTPStatus.TOO_MANY_REQUESTS, "RATE_LIMITED", "too many requests"),
    "server_error": problem(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "something went wrong"),
    "unauthorized": problem(HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED", "the key is not accepted"),
    "errors_in_success": Reply(
        HTTPStatus.OK, {"errors": [{"message": "not in line with our policies", "code": "POLICY_VIOLATION"}]}
    ),
}
