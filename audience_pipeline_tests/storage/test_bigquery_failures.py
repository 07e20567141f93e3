"""Each failure of BigQuery gives one error that names the object and the remedy.

An emulator has no permissions, quotas or disabled projects, so a server on the loopback gives the service's documented
answers to Google's real client.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from audience_pipeline.errors import (
    ConflictError,
    PipelineError,
    SettingsError,
    StorageError,
    UnavailableError,
    UsageError,
)
from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery import connection
from audience_pipeline.storage.bigquery.client import open_warehouse


@contextmanager
def service(status: int, reason: str, message: str) -> Iterator[str]:
    """Run a server that answers every call with one error; yield its address."""
    error = {"code": status, "message": message, "errors": [{"reason": reason, "message": message}]}

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"error": error}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def failure(endpoint: str | None) -> PipelineError:
    """Return the error a statement ends in."""
    settings = Settings(
        backend="bigquery",
        bigquery_project="acme",
        bigquery_dataset="lake",
        bigquery_api_endpoint=endpoint,
        bigquery_max_bytes_billed=1,
        bigquery_retry_seconds=1,
    )
    with pytest.raises(PipelineError) as caught, open_warehouse(settings) as warehouse:
        warehouse.run("SELECT 1", object="table audiences", operation="test")
    return caught.value


CASES = [
    pytest.param(
        (404, "notFound", "Not found: Project acme"),
        SettingsError,
        "AUDIENCE_PIPELINE_BIGQUERY_PROJECT",
        "Correct the variable",
        id="wrong project",
    ),
    pytest.param(
        (404, "notFound", "Not found: Dataset acme:lake was not found in location US"),
        StorageError,
        "dataset acme.lake",
        "audience-pipeline migrate",
        id="missing dataset",
    ),
    pytest.param(
        (404, "notFound", "Not found: Table acme:lake.audiences was not found in location US"),
        StorageError,
        "table audiences",
        "audience-pipeline migrate",
        id="missing table",
    ),
    pytest.param(
        (403, "accessDenied", "Access Denied: Project acme: User does not have bigquery.jobs.create permission"),
        StorageError,
        "table audiences",
        "sql/bigquery/grants.sql",
        id="denied permission",
    ),
    pytest.param(
        (403, "accessDenied", "Access Denied: Project acme: User does not have permission, or it may not exist"),
        StorageError,
        "table audiences",
        "correct AUDIENCE_PIPELINE_BIGQUERY_PROJECT",
        id="denied project",
    ),
    pytest.param(
        (400, "invalid", "Service account audience-pipeline-writer@acme.iam.gserviceaccount.com does not exist."),
        StorageError,
        "table audiences",
        "--no-access",
        id="no service account",
    ),
    pytest.param(
        (403, "quotaExceeded", "Quota exceeded: Your table exceeded quota for imports or query appends per table"),
        UnavailableError,
        "table audiences",
        "Wait until the quota is free again",
        id="quota exceeded",
    ),
    pytest.param(
        (400, "bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 1. 10485760 or higher required."),
        StorageError,
        "table audiences",
        "AUDIENCE_PIPELINE_BIGQUERY_MAX_BYTES_BILLED",
        id="too many bytes",
    ),
    pytest.param(
        (400, "invalidQuery", "Unrecognized name: segments at [1:8]"),
        StorageError,
        "table audiences",
        "names what differs",
        id="drifted schema",
    ),
    pytest.param(
        (400, "invalidQuery", "Could not serialize access to table acme:lake.audiences due to concurrent update"),
        ConflictError,
        "table audiences",
        "Run again",
        id="lost race",
    ),
    pytest.param(
        (503, "backendError", "Error encountered during execution. Retrying may solve the problem."),
        UnavailableError,
        "table audiences",
        "Run again",
        id="service down",
    ),
    pytest.param(
        (400, "invalid", "Something else"), StorageError, "table audiences", "Mend the cause", id="anything else"
    ),
]


@pytest.mark.parametrize(("answer", "family", "object", "remedy"), CASES)
def test_an_answer_of_the_service_becomes_one_clear_error(
    answer: tuple[int, str, str], family: type[PipelineError], object: str, remedy: str
) -> None:
    with service(*answer) as endpoint:
        error = failure(endpoint)
    assert type(error) is family
    assert error.object == object
    assert answer[2].removesuffix(".") in error.found
    assert remedy in error.remedy


def test_an_endpoint_where_nobody_answers_is_named_with_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        error = failure(endpoint)
    assert type(error) is UnavailableError
    assert endpoint in error.object
    assert "AUDIENCE_PIPELINE_BIGQUERY_API_ENDPOINT" in error.remedy


def test_an_endpoint_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = failure(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert type(error) is UnavailableError


def test_missing_credentials_are_named_with_how_to_get_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    error = failure(None)
    assert type(error) is SettingsError
    assert "GOOGLE_APPLICATION_CREDENTIALS" in error.remedy


def test_missing_libraries_are_named_with_the_extra_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: Callable[[str], None] = lambda _: None  # noqa: E731 - shorter than its definition
    monkeypatch.setattr(connection, "find_spec", nothing)
    error = failure("http://127.0.0.1:1")
    assert type(error) is UsageError
    assert "audience_pipeline[bigquery]" in error.remedy
