"""The table store on Hive-partitioned Parquet: the embedded default."""
