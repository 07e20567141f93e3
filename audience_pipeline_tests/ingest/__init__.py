"""Landing and ingest, on real files and a real store."""
