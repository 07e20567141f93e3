"""The one way to BigQuery: statements, loads and reads of one dataset.

Belongs here: how jobs are started and waited for, with what all of them share (endpoint, credentials, default dataset,
location, labels, limits, timeouts, retries, errors). Does not belong here: any statement.

Statements name tables without project or dataset: the default dataset of each job is the configured one. Values are
query parameters, always. Google's libraries take a second to import and are imported when a warehouse is opened.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import uuid4

from audience_pipeline.settings import Settings
from audience_pipeline.storage.bigquery.connection import connected_client, connected_reader, refuse_without_libraries
from audience_pipeline.storage.bigquery.failures import service_errors
from audience_pipeline.storage.bigquery.parameters import query_parameters

if TYPE_CHECKING:
    import pyarrow as pa
    from google.api_core.retry import Retry
    from google.cloud import bigquery, bigquery_storage
    from google.cloud.bigquery.table import RowIterator, _EmptyRowIterator

    Job = TypeVar("Job", bigquery.QueryJob, bigquery.LoadJob)

APPLICATION = "audience_pipeline"
"""The label ``application`` of every job, by which its cost is told from other programs'."""


@contextmanager
def open_warehouse(settings: Settings) -> "Iterator[Warehouse]":
    """Connect to the configured dataset for the time of a block; nothing is called before the first job.

    Raises:
        UsageError: this backend's libraries are not installed.
        SettingsError: there are no credentials.
    """
    warehouse = Warehouse(settings)
    try:
        yield warehouse
    finally:
        warehouse.close()


class Warehouse:
    """One dataset of BigQuery; threads may share it.

    Attributes:
        project: the project's id.
        dataset: the dataset's id, without the project.
        emulated: whether this is an emulator, which lacks some statements.
        client: Google's own client, for calls that are no job; wrap them in `errors`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.project = str(settings.bigquery_project)
        self.dataset = str(settings.bigquery_dataset)
        self.emulated = settings.bigquery_api_endpoint is not None
        refuse_without_libraries()
        with self.errors(f"project {self.project}"):
            self.client = connected_client(settings)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
        if "reader" in self.__dict__ and self.reader is not None:
            self.reader.transport.close()

    @cached_property
    def reader(self) -> "bigquery_storage.BigQueryReadClient | None":
        """The client of the Storage Read API, connected when it is first needed."""
        return connected_reader(self._settings)

    def name(self, table: str) -> str:
        """Return a table's full name, as Google's client and a person want it."""
        return f"{self.project}.{self.dataset}.{table}"

    def errors(self, object: str) -> AbstractContextManager[None]:
        """Turn errors of Google's libraries inside a block into the package's, about ``object``."""
        return service_errors(object, self._settings)

    @property
    def retry(self) -> "Retry":
        """How often and long a call that failed for a passing reason is repeated."""
        from google.cloud.bigquery import DEFAULT_RETRY

        return DEFAULT_RETRY.with_timeout(self._settings.bigquery_retry_seconds)

    def run(
        self,
        statement: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        object: str,
        operation: str,
        job_id: str | None = None,
    ) -> "Result":
        """Run a statement or script to its end.

        Args:
            statement: SQL that names tables without a dataset.
            parameters: values by name, see `query_parameters`.
            object: what it is about, for the error it may end in, such as "table audiences".
            operation: a word for the job's label, such as "upsert".
            job_id: an id derived from what is done, so that it is done once: where a job of this id exists, its result
                is returned and nothing runs. A job that failed keeps its id, and its error is raised again.

        Raises:
            PipelineError: of the family the failure belongs to.
        """
        from google.cloud import bigquery

        config = self._configured(bigquery.QueryJobConfig(), operation)
        config.query_parameters = query_parameters(parameters or {})
        with self.errors(object):
            job = self._query(statement, config, job_id)
            rows = job.result(retry=self.retry, job_retry=None, timeout=self._settings.bigquery_timeout_seconds)
        return Result(self, object, job, rows)

    def load(
        self,
        rows: "pa.Table",
        table: str,
        schema: "Sequence[bigquery.SchemaField]",
        *,
        operation: str,
        job_id: str | None = None,
    ) -> None:
        """Append rows to a table in one load job; the table is made if it is missing.

        Args:
            rows: moments need a zone, else they become DATETIME; JSON cannot be loaded and is to be staged as text.
            table: its name in the dataset.
            schema: its columns.
            operation: see `run`.
            job_id: see `run`.

        Raises:
            PipelineError: of the family the failure belongs to.
        """
        from google.cloud import bigquery

        config = self._configured(bigquery.LoadJobConfig(), operation)
        config.source_format = bigquery.SourceFormat.PARQUET
        config.schema = schema
        config.write_disposition = bigquery.WriteDisposition.WRITE_APPEND
        lists = bigquery.ParquetOptions()
        lists.enable_list_inference = True
        config.parquet_options = lists
        with self.errors(f"table {table}"):
            job = self._load(rows, self.name(table), config, job_id)
            job.result(retry=self.retry, timeout=self._settings.bigquery_timeout_seconds)

    def _configured(self, config: Any, operation: str) -> Any:  # noqa: ANN401 - either of Google's job configurations
        config.labels = {"application": APPLICATION, "operation": operation}
        config.job_timeout_ms = 1000 * self._settings.bigquery_timeout_seconds
        return config

    def _query(self, statement: str, config: "bigquery.QueryJobConfig", job_id: str | None) -> "bigquery.QueryJob":
        def start(own_id: str) -> "bigquery.QueryJob":
            return self.client.query(
                statement, job_config=config, job_id=own_id, retry=self.retry, job_retry=None, timeout=self._patience
            )

        return self._once(job_id, start)

    def _load(
        self, rows: "pa.Table", table: str, config: "bigquery.LoadJobConfig", job_id: str | None
    ) -> "bigquery.LoadJob":
        from pyarrow import parquet

        content = BytesIO()
        parquet.write_table(rows, content)

        def start(own_id: str) -> "bigquery.LoadJob":
            return self.client.load_table_from_file(
                content, table, job_config=config, job_id=own_id, rewind=True, timeout=self._patience
            )

        return self._once(job_id, start)

    def _once(self, job_id: str | None, start: "Callable[[str], Job]") -> "Job":
        """Start a job, or return the one that has its id already.

        Every job has an id of ours, a random one if need be: without one Google's client repeats whole jobs, for ten
        minutes and whatever the settings say.
        """
        from google.api_core.exceptions import Conflict

        own_id = job_id or uuid4().hex
        try:
            return start(own_id)
        except Conflict:
            location = self._settings.bigquery_location
            found: Any = self.client.get_job(own_id, location=location, retry=self.retry, timeout=self._patience)
            return cast("Job", found)

    @property
    def limits(self) -> dict[str, float]:
        """How long a read of stored rows is repeated, and how long it may take; see `read_stored`."""
        return {"retry_seconds": self._patience, "timeout": float(self._settings.bigquery_timeout_seconds)}

    @property
    def _patience(self) -> float:
        """Seconds one request may wait for its answer."""
        return float(self._settings.bigquery_retry_seconds)


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement, or the last one of a script, returned.

    Attributes:
        warehouse: where it ran.
        object: what it was about.
        job: Google's job, for its statistics.
        rows: its rows, to be iterated once.
    """

    warehouse: Warehouse
    object: str
    job: "bigquery.QueryJob"
    rows: "RowIterator | _EmptyRowIterator"

    @property
    def affected(self) -> int:
        """How many rows a statement that is no query changed."""
        return int(self.job.num_dml_affected_rows or 0)

    def arrow(self) -> "pa.Table":
        """Return the rows as Arrow, lists and JSON texts alike however they came."""
        from audience_pipeline.storage.bigquery.reading import read_answer, read_stored, small

        with self.warehouse.errors(self.object):
            reader = None if small(self.job, self.rows) else self.warehouse.reader
            limits = self.warehouse.limits
            return read_answer(self.rows) if reader is None else read_stored(reader, self.job, **limits)
