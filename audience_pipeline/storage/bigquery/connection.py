"""Google's clients, made as the settings say.

Belongs here: endpoints, credentials and defaults. Does not belong here: any call.

An emulator is reached with explicit anonymous credentials. The variables that Google's libraries read for emulators set
addresses only; calls then fail for want of credentials, or carry real ones to a program that should not see them.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from audience_pipeline.errors import UsageError
from audience_pipeline.settings import Settings, variable

if TYPE_CHECKING:
    from google.cloud import bigquery, bigquery_storage


def refuse_without_libraries() -> None:
    """Raise UsageError where the libraries of this backend, an extra of the package, are not installed."""
    if find_spec("google") is None or find_spec("google.cloud.bigquery") is None:
        raise UsageError(
            object=variable("backend"),
            found="bigquery, without its libraries",
            expected="google-cloud-bigquery to be installed",
            remedy="Install audience_pipeline[bigquery].",
        )


def connected_client(settings: Settings) -> "bigquery.Client":
    """Return Google's client, with what every statement shares as its defaults; an emulator gets no credentials."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    defaults = bigquery.QueryJobConfig(default_dataset=f"{settings.bigquery_project}.{settings.bigquery_dataset}")
    if settings.bigquery_max_bytes_billed is not None:
        defaults.maximum_bytes_billed = settings.bigquery_max_bytes_billed
    endpoint = settings.bigquery_api_endpoint
    return bigquery.Client(
        project=settings.bigquery_project,
        location=settings.bigquery_location,
        default_query_job_config=defaults,
        client_options=None if endpoint is None else {"api_endpoint": endpoint},
        credentials=None if endpoint is None else AnonymousCredentials(),
    )


def connected_reader(settings: Settings) -> "bigquery_storage.BigQueryReadClient | None":
    """Return a client of the Storage Read API, or None for an emulator whose address of it is not known."""
    from google.cloud.bigquery_storage import BigQueryReadClient
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
    from grpc import insecure_channel

    if settings.bigquery_api_endpoint is None:
        return BigQueryReadClient()
    if settings.bigquery_storage_endpoint is None:
        return None
    return BigQueryReadClient(
        transport=BigQueryReadGrpcTransport(channel=insecure_channel(settings.bigquery_storage_endpoint))
    )
