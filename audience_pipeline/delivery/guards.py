"""Guards: reasons to hold a distribution that is due, looked at in order; the first one counts.

Belongs here: the reasons that hold on every platform. Does not belong here: a platform's own (its connector adds them),
approval (:mod:`.permission`), or what a hold leads to. Each is pure, names what it found and says what lifts it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from audience_pipeline.delivery.cases import PAUSED, Case
from audience_pipeline.delivery.connectors.contract import Hold
from audience_pipeline.settings import Settings, variable

Guard: TypeAlias = Callable[[Case, "Bounds"], Hold | None]
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Bounds:
    """What guards go by; ``segment_floor`` is the platform's own."""

    min_segment_size: int = 25
    max_size_change_pct: int = 50
    segment_floor: int = 0

    @classmethod
    def of(cls, settings: Settings, segment_floor: int = 0) -> "Bounds":
        """Return the bounds the settings name."""
        return cls(settings.min_segment_size, settings.max_size_change_pct, segment_floor)


def references_hold(case: Case, _: Bounds) -> Hold | None:
    """Hold what refers to rows that are not there any more."""
    if case.audience is None:
        return Hold("audience_missing", f"there is no audience {case.distribution.pair[0]}: land it again")
    if case.platform is None:
        return Hold("platform_missing", f"there is no platform {case.distribution.pair[1]}: land it again")
    return None


def audience_hold(case: Case, _: Bounds) -> Hold | None:
    """Hold what is not ready, or not current, to be sent."""
    audience = case.audience or {}
    if (status := audience["status"]) in {"draft", "archived"}:
        return Hold(f"audience_{status}", f"audience {audience['audience_id']} is {status}: land it as active")
    if case.refused:
        return Hold(
            "audience_refused",
            f"a newer version of the audience was refused: `audience-pipeline quarantine show {case.refused}`",
        )
    return None


def platform_hold(case: Case, _: Bounds) -> Hold | None:
    """Hold what goes to a platform that is not to be used, or does not accept its credentials."""
    platform = case.platform or {}
    if platform["status"] != "active":
        return Hold(
            "platform_inactive", f"platform {platform['platform_id']} is {platform['status']}: land it as active"
        )
    if platform["sync_status"] == PAUSED:
        detail = f"platform {platform['platform_id']} did not accept its credentials: land it with other ones"
        return Hold("platform_paused", detail)
    return None


def segments_hold(case: Case, bounds: Bounds) -> Hold | None:
    """Hold what names no segment, one the audience does not have, or one that is too small to be sent."""
    asked = sorted(set(case.distribution.row["segments_distributed"] or ()))
    sizes = case.sizes
    if not asked:
        return Hold("no_segments", "it names no segment to send")
    if unknown := [key for key in asked if key not in sizes]:
        return Hold("segment_unknown", f"the audience does not have {_listed(unknown)}")
    floor = max(bounds.min_segment_size, bounds.segment_floor)
    if small := [f"{key} ({sizes[key]})" for key in asked if sizes[key] < floor]:
        return Hold("segment_too_small", f"{_listed(small)} under {floor} members")
    return None


def size_hold(case: Case, bounds: Bounds) -> Hold | None:
    """Hold what is of another size than what was asked for last: such a jump is an accident more often than news.

    What counts is what was to be sent, whatever part of it the platform took.
    """
    before, now = case.previous.results.total_size if case.previous else None, sum(case.sizes.values())
    if before is None or abs(now - before) * 100 <= before * bounds.max_size_change_pct:
        return None
    found = f"{before} members were to be sent last, {now} would be now"
    return Hold("size_changed", f"{found}: check the audience, or raise {variable('max_size_change_pct')}")


GUARDS: tuple[Guard, ...] = (references_hold, audience_hold, platform_hold, segments_hold, size_hold)


def hold_of(case: Case, bounds: Bounds, guards: tuple[Guard, ...] = GUARDS) -> Hold | None:
    """Return the first reason to hold, or None."""
    return next((hold for guard in guards if (hold := guard(case, bounds))), None)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"segment{'s' * (len(names) > 1)} {', '.join(names[:_SHOWN])}{more}"
