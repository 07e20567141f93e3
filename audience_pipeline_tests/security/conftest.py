"""A platform with plaintext credentials, and keysets in each state."""

from typing import Any

import pytest
from msgspec.structs import replace

from audience_pipeline.security.keyset import Keyset, generate_keyset

API_KEY = "canary-9f3c-api-key"
CONFIG_SECRET = "canary-71aa-config"  # noqa: S105 - a canary, searched for in what is printed


@pytest.fixture(scope="package")
def keyset() -> Keyset:
    return generate_keyset()


@pytest.fixture
def rotated(keyset: Keyset) -> Keyset:
    """The keyset after a rotation: another key is primary, the first one is retired."""
    other = generate_keyset().primary_key
    return replace(keyset, primary=other.id, keys=(replace(keyset.primary_key, status="retired"), other))


@pytest.fixture
def platform() -> dict[str, Any]:
    return {
        "platform_id": "5B0C1B1E-3B1F-4B58-9C53-0B9D1E6B6A10",
        "user_id": "user123",
        "platform_type": "the_trade_desk",
        "name": "TTD, main seat",
        "credentials": {
            "api_key": API_KEY,
            "account_id": "seat-1",
            "additional_config": {"zone": "eu", "token": CONFIG_SECRET},
        },
    }
