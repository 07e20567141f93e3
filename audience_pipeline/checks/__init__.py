"""The asset checks of every table, made from its declaration.

Belongs here: which checks a table has, and running them on what a run materialized. Does not belong here: what a check
looks for (`rows`, `placement` and `schema`).

All checks of a table are one step that reads the slice once. They look at the months of their run; started by hand,
without a month, at the whole table. They are not partitioned themselves: Dagster has that in preview only.
"""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from audience_pipeline.checks.context import Subject
from audience_pipeline.checks.outcome import Outcome
from audience_pipeline.checks.placement import placement
from audience_pipeline.checks.rows import references, refusals, unique_key
from audience_pipeline.checks.schema import schema
from audience_pipeline.partitions import month_key, months_of_run
from audience_pipeline.policies import classed_failures
from audience_pipeline.settings import Settings
from audience_pipeline.tables import Table

Check = Callable[[Subject], Outcome]


def checks_of(table: Table) -> dg.AssetChecksDefinition:
    """Return the checks of ``table`` as one definition; each can be run on its own."""
    checks = _checks(table)
    specs = [dg.AssetCheckSpec(name, asset=table.name, description=check.__doc__) for name, check in checks.items()]

    @dg.multi_asset_check(name=f"{table.name}_checks", specs=specs, can_subset=True)
    def run_checks(
        context: dg.AssetCheckExecutionContext,
        settings: dg.ResourceParam[Settings],
        store: dg.ResourceParam[Any],
    ) -> Iterator[dg.AssetCheckResult]:
        months = months_of_run(context.run.tags) if table.by_month else None
        subject = Subject(table, store, settings, months, context.instance)
        selected = {key.name for key in context.selected_asset_check_keys}
        with classed_failures():
            for name, check in checks.items():
                if name in selected:
                    yield _result(name, check(subject), months)

    return run_checks


def _checks(table: Table) -> dict[str, Check]:
    checks: dict[str, Check] = {
        "schema": schema,
        "unique_key": unique_key,
        "placement": placement,
        "refusals": refusals,
    }
    return checks | ({"references": references} if table.references else {})


def _result(name: str, outcome: Outcome, months: tuple[int, int] | None) -> dg.AssetCheckResult:
    scope = "whole table" if months is None else " to ".join(month_key(month) for month in dict.fromkeys(months))
    return dg.AssetCheckResult(
        check_name=name,
        passed=outcome.passed,
        severity=outcome.severity,
        description=outcome.summary,
        metadata={"checked": scope, **outcome.metadata},
    )
