"""A sandbox that all tests here share, and the connectors that the contract suite is run against."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from audience_pipeline.delivery.connectors.contract import Connector, OpenedCredentials
from audience_pipeline.delivery.connectors.sandbox import SandboxConnector
from audience_pipeline.delivery.connectors.transport import Transport
from audience_pipeline.security import Secret
from audience_pipeline_tests.sandbox_process import Sandbox

CANARY = "canary-5f2c81d04b"
CREDENTIALS = OpenedCredentials("acct 1/ü", Secret(CANARY), Secret('{"client_secret": "canary-of-the-config"}'))
_numbers = count()


def new_key() -> str:
    """Return an idempotency key that no test has used."""
    return f"distribution-{next(_numbers):08d}"


@dataclass(frozen=True, slots=True)
class Subject:
    """A connector under test, with what its platform accepts, and what it does not."""

    connector: Connector
    credentials: OpenedCredentials
    rejected: OpenedCredentials


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox") / "state.sqlite") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    """The shared sandbox; the faults a test switched on are off afterwards."""
    yield running
    running.faults()


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(timeout=10) as opened:
        yield opened


@pytest.fixture
def connector(sandbox: Sandbox, transport: Transport) -> SandboxConnector:
    return SandboxConnector("facebook", sandbox.url, transport)


def _sandboxed(sandbox: Sandbox, transport: Transport) -> Subject:
    revoked = OpenedCredentials("acct 1/ü", Secret("revoked-key"))
    return Subject(SandboxConnector("facebook", sandbox.url, transport), CREDENTIALS, revoked)


SUBJECTS: dict[str, Callable[[Sandbox, Transport], Subject]] = {"sandbox": _sandboxed}
"""Every connector; one that is not here is not held to the contract."""


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest, sandbox: Sandbox, transport: Transport) -> Subject:
    return SUBJECTS[request.param](sandbox, transport)
