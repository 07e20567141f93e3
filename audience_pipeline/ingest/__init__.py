"""Landing and ingest: from lines of JSON to accepted records in the tables, and refused ones in quarantine.

Nothing is imported here, because the worker processes that validate lines need only a few of the modules.
"""
