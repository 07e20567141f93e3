"""A key management service on this machine that speaks Google's protocol: one key, which can be denied or disabled."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn

import google_crc32c
import grpc
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.cloud.kms_v1.types import DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse

SERVICE = "google.cloud.kms.v1.KeyManagementService"
KEY = "projects/acme/locations/eu/keyRings/audiences/cryptoKeys/keyset"
URI = f"gcp-kms://{KEY}"
DENIED = (grpc.StatusCode.PERMISSION_DENIED, f"Permission 'useToDecrypt' denied on resource '{KEY}'.")
DISABLED = (grpc.StatusCode.FAILED_PRECONDITION, f"{KEY}/cryptoKeyVersions/1 is not enabled: DISABLED.")


class FakeKms:
    """The service; ``refusals`` are answered instead of a call's result, ``garbled`` changes answers on their way."""

    def __init__(self) -> None:
        self._keys = {KEY: AESGCM(os.urandom(32)), f"{KEY}2": AESGCM(os.urandom(32))}
        self.calls: list[str] = []
        self.refusals: dict[str, tuple[grpc.StatusCode, str]] = {}
        self.garbled = False
        self._server = grpc.server(ThreadPoolExecutor(4))
        handlers = {
            "Encrypt": _handler(self._encrypt, EncryptRequest, EncryptResponse),
            "Decrypt": _handler(self._decrypt, DecryptRequest, DecryptResponse),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        self.endpoint = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def refuse(self, status: tuple[grpc.StatusCode, str], *calls: str) -> None:
        """Answer calls, all by default, with a status from now on."""
        self.refusals = dict.fromkeys(calls or ("Encrypt", "Decrypt"), status)

    def _encrypt(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 - Google's messages
        key = self._called("Encrypt", request.name, context)
        associated = request.additional_authenticated_data
        nonce = os.urandom(12)
        sealed = nonce + key.encrypt(nonce, request.plaintext, associated)
        return EncryptResponse(
            ciphertext=sealed,
            ciphertext_crc32c=google_crc32c.value(sealed) + self.garbled,
            verified_plaintext_crc32c=request.plaintext_crc32c == google_crc32c.value(request.plaintext),
            verified_additional_authenticated_data_crc32c=request.additional_authenticated_data_crc32c
            == google_crc32c.value(associated),
        )

    def _decrypt(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: ANN401 - Google's messages
        key = self._called("Decrypt", request.name, context)
        try:
            plain = key.decrypt(request.ciphertext[:12], request.ciphertext[12:], request.additional_authenticated_data)
        except (InvalidTag, ValueError):
            _abort(context, (grpc.StatusCode.INVALID_ARGUMENT, "Decryption failed: the ciphertext is invalid."))
        return DecryptResponse(plaintext=plain, plaintext_crc32c=google_crc32c.value(plain) + self.garbled)

    def _called(self, call: str, name: str, context: grpc.ServicerContext) -> AESGCM:
        self.calls.append(call)
        if call in self.refusals:
            _abort(context, self.refusals[call])
        if name not in self._keys:
            _abort(context, (grpc.StatusCode.NOT_FOUND, f"CryptoKey {name} not found."))
        return self._keys[name]


@contextmanager
def running() -> Iterator[FakeKms]:
    """Run a service for the time of a block."""
    kms = FakeKms()
    try:
        yield kms
    finally:
        kms.stop()


def _abort(context: grpc.ServicerContext, status: tuple[grpc.StatusCode, str]) -> NoReturn:
    context.abort(*status)
    raise AssertionError


def _handler(answer: Callable[..., Any], request: Any, response: Any) -> Any:  # noqa: ANN401 - grpc's and Google's
    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=request.deserialize, response_serializer=response.serialize
    )
