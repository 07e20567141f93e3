"""The whole loop on generated data: written as a sender would, landed and materialized by Dagster, asked, proved.

Belongs here: the steps and what each came to, as values. Does not belong here: printing, or anything the pipeline does
only for a demo; every step is the one that runs in production.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from audience_pipeline.demo.answers import Answer, answers
from audience_pipeline.demo.broken import write_broken
from audience_pipeline.demo.dataset import make_dataset
from audience_pipeline.demo.landing import write_landing
from audience_pipeline.demo.moments import first_of_months
from audience_pipeline.demo.place import MONTHS, Place
from audience_pipeline.demo.sizes import Sizes, sizes
from audience_pipeline.demo.tenants import Record
from audience_pipeline.ingest.quarantine import Entry, Quarantine
from audience_pipeline.queries.catalog import ensure_catalog
from audience_pipeline.runs import Outcome, Runs, runs_in
from audience_pipeline.tables import LANDED, SOURCES

if TYPE_CHECKING:
    from audience_pipeline.storage.bigquery.store import BigQueryStore
    from audience_pipeline.storage.contract import TableStore
    from audience_pipeline.storage.parquet.store import ParquetStore

LARGEST_TENANT = "user_00001"


class Loop:
    """The steps of a demo, in their order."""

    def __init__(self, place: Place, runs: Runs) -> None:
        self._place, self._runs = place, runs
        self._settings = place.settings

    def generate(self) -> list[Path]:
        """Write the world's records to the landing directory, credentials sealed, and a few broken ones beside them."""
        from audience_pipeline.ingest.secrets import configured_keyset  # noqa: PLC0415 - a demo's help needs none of it
        from audience_pipeline.security.sealing import seal_platform  # noqa: PLC0415 - the same

        keyset = configured_keyset(self._settings)

        def sealed(record: Record) -> Record:
            return seal_platform(record, keyset)

        world, directory = self._place.world, self._settings.landing_dir
        return [*write_landing(world, directory, sealer=sealed), *write_broken(world, directory)]

    def land(self) -> Outcome:
        """Run Dagster's landing job."""
        return self._runs.land()

    def materialize(self) -> Outcome:
        """Materialize and check every table, over all months of the world."""
        now = self._place.mark.now
        first = first_of_months(now, MONTHS)
        return self._runs.materialize((first.year * 100 + first.month, now.year * 100 + now.month))

    def prepare(self) -> None:
        """Make what `migrate` makes: the catalog beside the files, or the dataset with its tables and views."""
        if self._settings.backend == "bigquery":
            make_dataset(self._settings)
        else:
            ensure_catalog(self._settings.data_dir)

    def digests(self, store: "TableStore") -> dict[str, dict[int, str]]:
        """Return what every table holds, as content digests a month."""
        return {table.name: store.digests(table) for table in SOURCES}

    def answers(self, store: "ParquetStore | BigQueryStore") -> Iterator[Answer]:
        """Ask the access patterns about the largest tenant."""
        return answers(store, LARGEST_TENANT, self._place.mark.now)

    def refused(self) -> list[Entry]:
        """Return what is in quarantine."""
        return Quarantine(self._settings.quarantine_dir).entries()

    def sizes(self, store: "ParquetStore | BigQueryStore") -> Sizes:
        """Return the sizes of the landed tables and of the tables made of them."""
        return sizes(store, [table for source in SOURCES for table in (LANDED[source.name], source)])


@contextmanager
def loop_at(place: Place) -> Iterator[Loop]:
    """Return the loop of a demo's directory, its runs recorded there."""
    from audience_pipeline.definitions import build_defs  # noqa: PLC0415 - a demo's help needs none of it

    with runs_in(place.dagster_home, build_defs(place.settings)) as runs:
        yield Loop(place, runs)
