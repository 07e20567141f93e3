"""The dataset of a demo whose tables are in BigQuery.

Belongs here: making it, and keeping away from one that is somebody's. Does not belong here: how a dataset is made
(`audience_pipeline.storage.bigquery.migration`).
"""

from audience_pipeline.errors import UsageError
from audience_pipeline.settings import Settings, variable


def refuse_taken(settings: Settings) -> None:
    """Refuse a dataset that has tables already, lest generated records come between real ones.

    Raises:
        UsageError: it has.
        StorageError: the service did not answer.
    """
    if settings.backend != "bigquery":
        return
    from google.api_core.exceptions import NotFound  # noqa: PLC0415 - takes a second, and one backend is used

    from audience_pipeline.storage.bigquery.client import open_warehouse  # noqa: PLC0415 - the same

    with open_warehouse(settings) as warehouse:
        dataset = f"dataset {warehouse.project}.{warehouse.dataset}"
        with warehouse.errors(dataset):
            try:
                found = next(iter(warehouse.client.list_tables(warehouse.dataset, retry=warehouse.retry)), None)
            except NotFound:
                return
    if found is not None:
        raise UsageError(
            dataset,
            found=f"tables, such as {found.table_id}",
            expected="a dataset that is not there yet: the demo fills one of its own",
            remedy=f"Set {variable('bigquery_dataset')} to another name; the demo makes it.",
        )


def make_dataset(settings: Settings) -> None:
    """Make the dataset, its tables and views, as `audience-pipeline migrate --apply-changes --no-access` does.

    Without access rules whoever runs the demo sees its rows; and there is nobody to be kept from them.
    """
    from audience_pipeline.storage.bigquery.client import open_warehouse  # noqa: PLC0415 - as above
    from audience_pipeline.storage.bigquery.migration import Migration  # noqa: PLC0415 - the same

    with open_warehouse(settings) as warehouse:
        Migration(warehouse, settings).run(apply_changes=True, access=False)
