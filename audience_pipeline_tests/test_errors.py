"""The error families: one form of message, one answer to "would a rerun help?", and use across processes."""

import errno
import pickle
from pathlib import Path

import pytest

from audience_pipeline.errors import (
    ConflictError,
    CorruptionError,
    PipelineError,
    RefusedError,
    SecurityError,
    SettingsError,
    StorageError,
    UnavailableError,
    UsageError,
    storage_error,
    storage_errors,
)

FAMILIES = (
    UsageError,
    SettingsError,
    RefusedError,
    ConflictError,
    StorageError,
    UnavailableError,
    CorruptionError,
    SecurityError,
)


def test_a_message_names_object_found_expected_and_remedy() -> None:
    error = RefusedError("audiences/a1", found="size -1", expected="0 or more", remedy="Correct the size.")
    assert str(error) == "audiences/a1: found size -1, expected 0 or more. Correct the size."


@pytest.mark.parametrize("family", FAMILIES)
def test_an_error_survives_the_way_between_processes(family: type[PipelineError]) -> None:
    sent = family(Path("some/file"), found="this", expected="that", remedy="Act.")
    received = pickle.loads(pickle.dumps(sent))  # noqa: S301 - made two calls earlier
    assert type(received) is family
    assert (received.object, received.found, received.expected, received.remedy) == (
        "some/file",
        "this",
        "that",
        "Act.",
    )
    assert str(received) == str(sent)


def test_only_a_lost_race_and_a_service_that_is_away_are_worth_an_unchanged_rerun() -> None:
    assert [family for family in FAMILIES if family.retryable] == [ConflictError, UnavailableError]


def test_wrong_usage_and_wrong_settings_exit_with_2_and_all_others_with_1() -> None:
    assert [family for family in FAMILIES if family.exit_code != 1] == [UsageError, SettingsError]
    assert {UsageError.exit_code, SettingsError.exit_code} == {2}


def test_corruption_is_caught_wherever_storage_trouble_is() -> None:
    assert issubclass(CorruptionError, StorageError)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            errno.ENOSPC,
            (
                "data: found no space left, expected room for the write. "
                "Free some space and run again; nothing is left half-written."
            ),
        ),
        (
            errno.EROFS,
            (
                "data: found a read-only file system, expected one that can be written. "
                "Mount it writable or choose another directory."
            ),
        ),
        (
            errno.EACCES,
            "data: found no permission, expected access for this user. Change the owner or mode, or run as its owner.",
        ),
        (
            errno.EIO,
            "data: found Input/output error, expected the operation to succeed. Mend the cause and run again.",
        ),
    ],
)
def test_a_refusal_of_the_operating_system_comes_with_a_remedy(code: int, message: str) -> None:
    assert str(storage_error(OSError(code, "Input/output error"), "data")) == message


def test_an_error_number_that_stands_only_in_the_text_is_understood() -> None:
    assert storage_error(OSError("No space left on device (os error 28)"), "data").found == "no space left"
    assert storage_error(OSError("[Errno 30] failed to create"), "data").found == "a read-only file system"


def test_an_error_without_any_text_still_says_what_it_is() -> None:
    assert storage_error(OSError(), "data").found == "OSError"


def test_reading_a_directory_says_so_and_keeps_the_cause(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="found a directory, expected a file") as caught, storage_errors(tmp_path):
        tmp_path.read_bytes()
    assert isinstance(caught.value.__cause__, IsADirectoryError)
    assert caught.value.object == str(tmp_path)
