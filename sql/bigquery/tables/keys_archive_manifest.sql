-- Where each key of archive_manifest lives, and what decides whether a record is newer than its row.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.keys_archive_manifest` (
  key STRING NOT NULL,
  user_id STRING NOT NULL,
  month INT64 NOT NULL,
  phase STRING NOT NULL,
  position INT64 NOT NULL,
  accepted_month INT64 NOT NULL,
  digest STRING,
  version TIMESTAMP,
  PRIMARY KEY (key) NOT ENFORCED
)
CLUSTER BY key;
