"""What a check found, and how it is shown: counts as numbers, the first failures as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

SHOWN = 20
"""Failures shown in the UI."""
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a check passed, in one sentence, and what it counted."""

    passed: bool
    summary: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR


def counted(what: str, checked: int, failed: int, failures: Sequence[Mapping[str, object]]) -> Outcome:
    """Return the outcome of looking at ``checked`` rows: failed where any is; ``what`` completes "n of m rows ..."."""
    metadata: dict[str, Any] = {"rows checked": checked, "rows failed": failed}
    if failures:
        metadata["failures"] = dg.MetadataValue.table([_record(failure) for failure in failures[:SHOWN]])
    return Outcome(failed == 0, f"{failed} of {checked} rows {what}", metadata)


def _record(failure: Mapping[str, object]) -> dg.TableRecord:
    return dg.TableRecord({name: _short(value) for name, value in failure.items()})


def _short(value: object) -> str | int | None:
    if value is None or isinstance(value, int):
        return value
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
