"""Neither a credential nor key material shows in anything that is printed, logged, dumped or raised."""

import base64
import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from audience_pipeline.errors import PipelineError
from audience_pipeline.security import Secret, open_credentials, seal_platform
from audience_pipeline.security.keyset import Keyset, encode_keyset, generate_keyset, parse_keyset
from audience_pipeline_tests.security.conftest import API_KEY, CONFIG_SECRET


@pytest.mark.parametrize("render", [str, repr, "{}".format, "{!r:>5}".format, "%s".__mod__, lambda s: f"{[s]}"])
@pytest.mark.parametrize("value", [API_KEY, API_KEY.encode()])
def test_a_secret_prints_as_stars(render: Callable[[object], str], value: Any) -> None:  # noqa: ANN401 - text or bytes
    assert "***" in render(Secret(value))
    assert API_KEY not in render(Secret(value))


def test_a_secret_is_logged_as_stars(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("opened %s and %r", Secret(API_KEY), {"api_key": Secret(API_KEY)})
    assert API_KEY not in caplog.text
    assert caplog.text.count("***") == 2


@pytest.mark.parametrize("dump", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode])
def test_a_secret_is_not_dumped(dump: Callable[[object], object]) -> None:
    with pytest.raises(TypeError):
        dump(Secret(API_KEY))


def test_a_keyset_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled or copied"):
        pickle.dumps(generate_keyset())


def test_a_secret_keeps_no_attributes_to_look_through() -> None:
    assert not hasattr(Secret(API_KEY), "__dict__")


def test_a_keyset_prints_without_material(keyset: Keyset) -> None:
    rendered = f"{keyset} {keyset!r} {keyset.primary_key} {keyset.by_id}"
    assert keyset.primary in rendered
    for material in materials(keyset):
        assert material not in rendered


def test_no_error_of_a_keyset_shows_material(keyset: Keyset) -> None:
    encoded = encode_keyset(keyset).decode()
    material = json.loads(encoded)["keys"][0]["material"]
    broken = [
        encoded[:-10],
        encoded + encoded,
        encoded.replace('"enabled"', json.dumps(material)),
        encoded.replace('"status"', json.dumps(material)),
        encoded.replace(keyset.primary, material),
        encoded.replace("=", ""),
    ]
    for content in broken:
        with pytest.raises(PipelineError) as refusal:
            parse_keyset(content.encode(), source="a broken keyset")
        shown = everything(refusal.value)
        assert all(material not in shown for material in materials(keyset))


@pytest.mark.parametrize(
    "change",
    [
        {"encrypted": True},
        {"api_key": [API_KEY]},
        {"api_key": API_KEY + "\ud800"},
        {"additional_config": {"token": API_KEY + "\ud800"}},
        {"additional_config": {"token": {7: API_KEY}}},
        {"password": API_KEY},
    ],
)
def test_no_refusal_to_seal_shows_a_secret(platform: dict[str, Any], keyset: Keyset, change: dict[str, Any]) -> None:
    platform["credentials"] |= change
    with pytest.raises(PipelineError) as refusal:
        seal_platform(platform, keyset)
    assert API_KEY not in everything(refusal.value)
    assert CONFIG_SECRET not in everything(refusal.value)


def test_opened_credentials_print_as_stars(platform: dict[str, Any], keyset: Keyset) -> None:
    sealed = seal_platform(platform, keyset)
    owner = {"user_id": platform["user_id"], "platform_id": platform["platform_id"]}
    assert str(open_credentials(sealed["credentials"], **owner, keyset=keyset)) == (
        "{'api_key': ***, 'additional_config': ***}"
    )


def materials(keyset: Keyset) -> Iterator[str]:
    """Each key's material in the forms it could show in."""
    for secret in [keyset.fingerprint_key, *(key.material for key in keyset.keys)]:
        yield base64.b64encode(secret.reveal()).decode().rstrip("=")
        yield secret.reveal().hex()
        yield repr(secret.reveal())[2:-1]


def everything(error: BaseException | None) -> str:
    """All that a traceback, or a look at an exception and those behind it, shows."""
    shown = "".join(traceback.format_exception(error)) if error else ""
    while error is not None:
        shown += f"{error!r} {error.args!r} {vars(error)!r}"
        error = error.__context__
    return shown
