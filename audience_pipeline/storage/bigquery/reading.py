"""Results as Arrow: large ones through the Storage Read API, small ones with the answer that came already.

Belongs here: how rows of a finished query come over. Does not belong here: which rows.

Google's own conversion chooses its host itself, so from an emulator's client it would call Google; and its way from
the Storage Read API to Arrow is deprecated in favour of pandas. So the few calls of the API are made here.
"""

from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from google.cloud import bigquery, bigquery_storage
    from google.cloud.bigquery.table import RowIterator, _EmptyRowIterator

FIRST_ANSWER = 1000
"""Rows up to which a result is taken as JSON: for fewer of them a read session takes longer to open than to read."""


def small(job: "bigquery.QueryJob", rows: "RowIterator | _EmptyRowIterator") -> bool:
    """Whether a result is to be read without the Storage Read API, as that of a script must be: it has no table."""
    return job.statement_type != "SELECT" or job.destination is None or (rows.total_rows or 0) <= FIRST_ANSWER


def read_answer(rows: "RowIterator | _EmptyRowIterator") -> pa.Table:
    """Return the rows that come with the answer, and the pages after it."""
    return _plain(rows.to_arrow(create_bqstorage_client=False))


def read_stored(
    reader: "bigquery_storage.BigQueryReadClient", job: "bigquery.QueryJob", *, retry_seconds: float, timeout: float
) -> pa.Table:
    """Return the rows of a query's result table, in their order (which holds within one stream only).

    A call is repeated for ``retry_seconds`` and may take ``timeout`` seconds: by itself the library repeats for a day.
    """
    from google.api_core.exceptions import DeadlineExceeded, ServiceUnavailable
    from google.api_core.retry import Retry, if_exception_type
    from google.cloud.bigquery_storage_v1 import types

    passing = if_exception_type(DeadlineExceeded, ServiceUnavailable)
    calls: dict[str, Any] = {"retry": Retry(predicate=passing, timeout=retry_seconds), "timeout": timeout}

    wanted = types.ReadSession(table=job.destination.path.lstrip("/"), data_format=types.DataFormat.ARROW)
    project = f"projects/{job.project}"
    session = reader.create_read_session(parent=project, read_session=wanted, max_stream_count=1, **calls)
    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
    batches = [
        pa.ipc.read_record_batch(pa.py_buffer(message.arrow_record_batch.serialized_record_batch), schema)
        for stream in session.streams
        for message in reader.read_rows(stream.name, **calls)
    ]
    return _plain(pa.Table.from_batches(batches, schema))


def _plain(table: pa.Table) -> pa.Table:
    """Return the rows under the types both ways have in common: they name a list's items differently."""
    kinds = [pa.list_(kind.value_type) if pa.types.is_list(kind) else kind for kind in table.schema.types]
    return table.cast(pa.schema(list(zip(table.schema.names, kinds, strict=True))))
