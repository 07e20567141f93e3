"""The automation: ticks of Dagster's own evaluation, and which months they ask for."""

import dagster as dg
import pytest

from audience_pipeline.assets.landed import landed_event
from audience_pipeline.tables import AUDIENCES, DISTRIBUTIONS, SOURCES, USERS, Table


class Ticks:
    """A daemon's evaluations, one after the other."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self.defs = defs
        self.instance = instance
        self.cursor: dg.AssetDaemonCursor | None = None

    def land(self, table: Table, *months: int) -> None:
        for month in months:
            self.instance.report_runless_asset_event(landed_event(table, month, {}))

    def fold(self, table: Table, month: str | None) -> None:
        self.instance.report_runless_asset_event(dg.AssetMaterialization(table.name, partition=month))

    def tick(self, table: Table = AUDIENCES) -> set[str | None]:
        """Evaluate once and return the partitions of ``table`` asked for (None: the table without months)."""
        result = dg.evaluate_automation_conditions(self.defs, self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        return set(result.get_requested_partitions(dg.AssetKey(table.name)))


@pytest.fixture
def ticks(defs: dg.Definitions, instance: dg.DagsterInstance) -> Ticks:
    ticks = Ticks(defs, instance)
    for table in SOURCES:
        assert ticks.tick(table) == set()
    return ticks


def test_all_months_that_landed_are_asked_for_in_one_tick_and_once(ticks: Ticks) -> None:
    ticks.land(AUDIENCES, 202504, 202505, 202511)
    assert ticks.tick() == {"2025-04", "2025-05", "2025-11"}
    assert [ticks.tick(), ticks.tick(), ticks.tick()] == [set()] * 3


def test_a_table_without_months_is_asked_for_as_a_whole(ticks: Ticks) -> None:
    ticks.land(USERS, 0)
    assert ticks.tick(USERS) == {None}
    assert ticks.tick(USERS) == set()


def test_tables_are_asked_for_by_themselves(ticks: Ticks) -> None:
    ticks.land(AUDIENCES, 202505)
    assert ticks.tick(DISTRIBUTIONS) == set()


def test_a_month_that_lands_again_is_asked_for_again(ticks: Ticks) -> None:
    ticks.land(AUDIENCES, 202505)
    ticks.tick()
    ticks.fold(AUDIENCES, "2025-05")
    assert ticks.tick() == set()
    ticks.land(AUDIENCES, 202505)
    assert ticks.tick() == {"2025-05"}


def test_records_that_land_while_their_month_is_folded_are_not_forgotten(ticks: Ticks) -> None:
    ticks.land(AUDIENCES, 202505)
    ticks.tick()
    ticks.land(AUDIENCES, 202505)
    ticks.fold(AUDIENCES, "2025-05")
    assert ticks.tick() == {"2025-05"}


def test_records_that_land_right_after_a_request_are_asked_for_later(ticks: Ticks) -> None:
    ticks.land(AUDIENCES, 202505)
    ticks.tick()
    ticks.land(AUDIENCES, 202505)
    assert ticks.tick() == {"2025-05"}
    assert [ticks.tick(), ticks.tick()] == [set(), set()]


def test_what_landed_before_the_first_tick_is_asked_for(defs: dg.Definitions, instance: dg.DagsterInstance) -> None:
    ticks = Ticks(defs, instance)
    ticks.land(AUDIENCES, 202505, 202506)
    ticks.fold(AUDIENCES, "2025-06")
    assert ticks.tick() == {"2025-05"}
    assert [ticks.tick(), ticks.tick()] == [set(), set()]


def test_the_automation_runs_without_being_switched_on(defs: dg.Definitions) -> None:
    assert defs.resolve_sensor_def("automation").default_status is dg.DefaultSensorStatus.RUNNING
