"""Google Cloud KMS: one key that wraps the keyset.

Belongs here: the two calls, their integrity checks, and what the service's refusals mean. Does not belong here: what is
wrapped (:mod:`.wrapping`). Google's library takes a second to import and is imported when the first call is made; the
connection is closed after each, since a process makes one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NoReturn

from audience_pipeline.errors import PipelineError, SettingsError, StorageError, UnavailableError, UsageError

if TYPE_CHECKING:
    from google.cloud.kms_v1 import KeyManagementServiceClient

ASSOCIATED = b"audience_pipeline keyset v1"
"""Authenticated with what is wrapped, so that nothing else the key ever encrypted passes for a keyset."""
_SCHEME = "gcp-kms://"
_PATIENCE_SECONDS = 20.0
_ROLE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"


@dataclass(frozen=True)
class GoogleKms:
    """A key of Google Cloud KMS; ``endpoint`` is a stand-in on this machine, ``host:port``, None Google itself."""

    uri: str
    endpoint: str | None = None

    def wrap(self, plain: bytes) -> bytes:
        """Return ``plain`` encrypted under the key.

        Raises:
            SettingsError: the key or the permission to use it is not there.
            UnavailableError: the service does not answer.
            StorageError: it answers with what was changed on the way.
        """
        with self._service() as (client, limits):
            answer = client.encrypt(request=self._request(plaintext=plain), **limits)
        verified = answer.verified_plaintext_crc32c and answer.verified_additional_authenticated_data_crc32c
        if not verified or answer.ciphertext_crc32c != _checksum(answer.ciphertext):
            self._refuse_changed()
        return bytes(answer.ciphertext)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return what was wrapped under the key; raises as :meth:`wrap` does."""
        with self._service() as (client, limits):
            answer = client.decrypt(request=self._request(ciphertext=wrapped), **limits)
        if answer.plaintext_crc32c != _checksum(answer.plaintext):
            self._refuse_changed()
        return bytes(answer.plaintext)

    def _request(self, **content: bytes) -> dict[str, Any]:
        content["additional_authenticated_data"] = ASSOCIATED
        checksums = {f"{name}_crc32c": _checksum(value) for name, value in content.items()}
        return {"name": self.uri.removeprefix(_SCHEME), **content, **checksums}

    @contextmanager
    def _service(self) -> "Iterator[tuple[KeyManagementServiceClient, dict[str, Any]]]":
        """Yield a connected client, with the limits of each call; what it raises becomes an error about the key."""
        self._refuse_without_library()
        from google.api_core.exceptions import GoogleAPICallError, RetryError, ServiceUnavailable
        from google.api_core.retry import Retry, if_exception_type
        from google.auth.exceptions import GoogleAuthError

        retry = Retry(predicate=if_exception_type(ServiceUnavailable), initial=0.2, timeout=_PATIENCE_SECONDS)
        try:
            with self._client() as client:
                yield client, {"retry": retry, "timeout": _PATIENCE_SECONDS}
        except GoogleAuthError as error:
            raise self._no_credentials(error) from error
        except RetryError as error:
            raise self._meaning(error.cause or error) from error
        except GoogleAPICallError as error:
            raise self._meaning(error) from error

    def _client(self) -> "KeyManagementServiceClient":
        from google.cloud.kms_v1 import KeyManagementServiceClient
        from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceGrpcTransport
        from grpc import insecure_channel

        if self.endpoint is None:
            return KeyManagementServiceClient()
        channel = insecure_channel(self.endpoint)
        return KeyManagementServiceClient(transport=KeyManagementServiceGrpcTransport(channel=channel))

    def _refuse_without_library(self) -> None:
        if find_spec("google") is None or find_spec("google.cloud.kms_v1") is None:
            raise UsageError(
                object=self.uri,
                found="no library to reach it",
                expected="google-cloud-kms to be installed",
                remedy="Install audience_pipeline[kms].",
            )

    def _no_credentials(self, error: Exception) -> SettingsError:
        return SettingsError(
            "credentials for Google Cloud",
            found=" ".join(str(error).split()),
            expected=f"ones that reach {self.uri}",
            remedy="Set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`.",
        )

    def _meaning(self, error: BaseException) -> PipelineError:
        """Say what the service's refusal means."""
        status = getattr(getattr(error, "grpc_status_code", None), "name", "")
        found = " ".join(str(getattr(error, "message", "") or error).split()).removesuffix(".")
        expected, remedy = _MEANINGS.get(status, ("an answer", "Mend the cause and run again."))
        family = UnavailableError if status in _PASSING else SettingsError
        return family(self.uri, found=found or status, expected=expected, remedy=remedy)

    def _refuse_changed(self) -> NoReturn:
        raise StorageError(
            self.uri,
            found="an answer, or a request as it arrived, whose checksum is not that of its content",
            expected="content that is not changed on its way",
            remedy="Run again; nothing was written.",
        )


_PASSING = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL"})
_LATER = "Run again in a moment; nothing was written and nothing is lost."
_MEANINGS = {
    "PERMISSION_DENIED": ("permission to encrypt and decrypt", f"Grant the account {_ROLE} on this key."),
    "UNAUTHENTICATED": ("credentials the service accepts", "Check GOOGLE_APPLICATION_CREDENTIALS."),
    "NOT_FOUND": ("a key of this name", "Correct AUDIENCE_PIPELINE_KMS_KEY_URI, or make the key."),
    "FAILED_PRECONDITION": ("an enabled key version", "Enable it again: what was sealed opens under no other."),
    "INVALID_ARGUMENT": ("a keyset this key wrapped", "Restore the keyset's file from its backup, or name its key."),
    "UNAVAILABLE": (f"an answer within {_PATIENCE_SECONDS:.0f} seconds", _LATER),
    "DEADLINE_EXCEEDED": (f"an answer within {_PATIENCE_SECONDS:.0f} seconds", _LATER),
    "RESOURCE_EXHAUSTED": ("quota for one call", _LATER),
    "INTERNAL": ("an answer", _LATER),
}


def _checksum(content: bytes) -> int:
    import google_crc32c

    return int(google_crc32c.value(content))
