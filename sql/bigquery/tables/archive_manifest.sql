-- What each archive run copied, removed and brought back: an entry a user, month and step, never changed.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.archive_manifest` (
  entry_id STRING NOT NULL,
  user_id STRING NOT NULL,
  created_at TIMESTAMP NOT NULL,
  run_id STRING NOT NULL,
  actor STRING NOT NULL,
  step STRING NOT NULL,
  month INT64 NOT NULL,
  cut_off TIMESTAMP,
  row_count INT64 NOT NULL,
  byte_count INT64 NOT NULL,
  archive_row_count INT64 NOT NULL,
  digest STRING NOT NULL,
  keys ARRAY<STRING>,
  until TIMESTAMP,
  PRIMARY KEY (entry_id) NOT ENFORCED
)
PARTITION BY DATE(created_at)
CLUSTER BY user_id, month, step;
