"""The BigQuery backend."""
