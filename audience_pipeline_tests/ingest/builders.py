"""Records as the application sends them, each valid as it is and changed by keyword; and files of them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from audience_pipeline.settings import Settings

Record = dict[str, Any]

NOW = datetime(2025, 8, 1, 12, tzinfo=UTC)
USER = "user123"


def uuid(number: int) -> str:
    """Return the UUID that stands for a small number."""
    return str(UUID(int=number, version=4))


def user(user_id: str = USER, **changes: Any) -> Record:  # noqa: ANN401 - any member's value
    """Return a user."""
    return {"user_id": user_id, "created_at": "2025-01-01T00:00:00Z", **changes}


def audience(number: int = 1, **changes: Any) -> Record:  # noqa: ANN401 - any member's value
    """Return an audience of May with one segment."""
    return {
        "audience_id": uuid(number),
        "user_id": USER,
        "name": f"audience {number}",
        "created_at": "2025-05-03T10:20:30.456Z",
        "updated_at": "2025-05-03T10:20:30.456Z",
        "status": "active",
        "data_type": "first_party",
        "selected_variables": ["V1"],
        "variable_details": [{"code": "V1", "relevance_score": 0.5}],
        "segments": [segment()],
        "total_audience_size": 100,
        "metadata": {"tags": ["a"]},
        **changes,
    }


def segment(**changes: Any) -> Record:  # noqa: ANN401 - any member's value
    """Return a segment of 40 in 100."""
    return {"segment_id": "s1", "name": "Young Digerati", "size": 40, "characteristics": {"age": "25-44"}, **changes}


def platform(number: int = 1, **changes: Any) -> Record:  # noqa: ANN401 - any member's value
    """Return a platform without credentials."""
    return {
        "platform_id": uuid(number),
        "user_id": USER,
        "platform_type": "google_ads",
        "name": f"platform {number}",
        "created_at": "2025-05-01T00:00:00Z",
        "updated_at": "2025-05-01T00:00:00Z",
        "status": "active",
        **changes,
    }


def distribution(number: int = 1, **changes: Any) -> Record:  # noqa: ANN401 - any member's value
    """Return a scheduled distribution of audience 1 to platform 1."""
    return {
        "distribution_id": uuid(number),
        "user_id": USER,
        "audience_id": uuid(1),
        "platform_id": uuid(1),
        "created_at": "2025-06-01T00:00:00Z",
        "status": "scheduled",
        **changes,
    }


def line(record: Mapping[str, Any]) -> bytes:
    """Return a record as its line, without the line end."""
    return msgspec.json.encode(record)


def write(path: Path, records: Iterable[Mapping[str, Any] | bytes]) -> Path:
    """Write a file of records, or of raw lines, each with a line end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [each if isinstance(each, bytes) else line(each) for each in records]
    path.write_bytes(b"".join(each + b"\n" for each in lines))
    return path


def settings_in(directory: Path, **changes: Any) -> Settings:  # noqa: ANN401 - any setting's value
    """Return settings whose directories are all below ``directory``."""
    return Settings(
        data_dir=directory / "data",
        landing_dir=directory / "landing",
        quarantine_dir=directory / "quarantine",
        keyset=directory / "keys" / "keyset.json",
        **changes,
    )
