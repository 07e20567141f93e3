"""The asset `distributions_archive`: what ended long ago, moved out of the live table day by day.

Belongs here: the asset, its check, and the numbers Dagster plots. Does not belong here: what is moved
(`audience_pipeline.retention`); the command line's `archive` does the same.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from audience_pipeline.policies import accepted_betas, classed_failures
from audience_pipeline.settings import Settings
from audience_pipeline.tables import DISTRIBUTIONS, DISTRIBUTIONS_ARCHIVE

if TYPE_CHECKING:
    from audience_pipeline.retention.archiving import Progress

_LATE, _TOO_LATE = timedelta(hours=25), timedelta(hours=30)
_SHOWN = 24


class Archiving(dg.Config):
    """What an archive run does."""

    dry_run: bool = Field(default=False, description="Say what would be moved, and move nothing.")
    as_of: str | None = Field(
        default=None, description="ISO 8601; what is old enough by then. A moment yet to come needs dry_run."
    )


def archive_asset() -> dg.AssetsDefinition:
    """Return the asset; a run of it moves what is old enough, and a dry run only says so."""
    with accepted_betas():

        @dg.asset(
            name=DISTRIBUTIONS_ARCHIVE.name,
            deps=[DISTRIBUTIONS.name],
            output_required=False,
            freshness_policy=dg.FreshnessPolicy.time_window(fail_window=_TOO_LATE, warn_window=_LATE),
            required_resource_keys={"settings", "store", "clock"},
        )
        def archived(context: dg.AssetExecutionContext, config: Archiving) -> Iterator[Any]:
            from audience_pipeline.retention.archiving import archive  # noqa: PLC0415 - only runs need what it imports

            resources, found = context.resources, []
            as_of, actor = _as_of(config, resources.clock()), f"Dagster run {context.run.run_id}"
            steps = archive(
                resources.store, resources.settings, resources.clock, actor, as_of=as_of, dry_run=config.dry_run
            )
            with classed_failures():
                for progress in steps:
                    found.append(progress)
                    context.log.info("Looked at %d of %d users' months.", progress.seen, progress.all)
            metadata = _plotted(found)
            if config.dry_run:
                yield dg.AssetObservation(DISTRIBUTIONS_ARCHIVE.name, metadata=metadata)
            else:
                yield dg.MaterializeResult(metadata=metadata)
            if damaged := [damage for progress in found for damage in progress.damaged]:
                raise dg.Failure("\n".join(map(str, damaged[:_SHOWN])), allow_retries=False)

    return archived


def overdue_check(settings: Settings) -> dg.AssetChecksDefinition:
    """Return the check that rows are archived in time."""

    @dg.asset_check(
        name="archived_in_time",
        asset=DISTRIBUTIONS_ARCHIVE.name,
        description=f"No live row that ended is older than {settings.archive_after_days} days and one more.",
        required_resource_keys={"settings", "store", "clock"},
    )
    def archived_in_time(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        from audience_pipeline.retention.overdue import overdue  # noqa: PLC0415 - only runs need what it imports

        resources, count = context.resources, 0
        first: list[str] = []
        with classed_failures():
            for rows in overdue(resources.store, resources.settings, resources.clock):
                count += rows.height
                first += rows[DISTRIBUTIONS.key].head(_SHOWN - len(first)).to_list()
        shown = {"first": ", ".join(first)} if first else {}
        summary = f"{count} rows should have left the live table"
        return dg.AssetCheckResult(passed=not count, description=summary, metadata={"rows overdue": count, **shown})

    return archived_in_time


def _as_of(config: Archiving, now: datetime) -> datetime | None:
    if config.as_of is None:
        return None
    found = datetime.fromisoformat(config.as_of)
    moment = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    if moment > now and not config.dry_run:
        message = f"as_of: found {config.as_of}, which is yet to come, expected a moment that has passed. Set dry_run."
        raise dg.Failure(message, allow_retries=False)
    return moment


def _plotted(found: "list[Progress]") -> dict[str, Any]:
    """Return the sums as numbers, and the months as a table."""
    from audience_pipeline.retention.archiving import by_month  # noqa: PLC0415 - only runs need what it imports

    months = by_month(each for progress in found for each in progress.moved)
    rows = [dg.TableRecord({name: getattr(month, name) for name in ("month", *_NAMES)}) for month in months[-_SHOWN:]]
    sums = {label: sum(getattr(month, name) for month in months) for name, label in _NAMES.items()}
    return {**sums, **({"months": dg.MetadataValue.table(rows)} if rows else {})}


_NAMES = {
    "copied": "rows copied",
    "copied_bytes": "bytes copied",
    "removed": "rows removed",
    "removed_bytes": "bytes removed",
    "waiting": "rows waiting for readers",
    "open": "rows not ended",
    "kept": "rows brought back",
    "dropped": "copies of these dropped",
}
