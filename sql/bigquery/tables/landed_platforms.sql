-- Accepted platforms records as they landed, append-only; folding them gives platforms.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.landed_platforms` (
  platform_id STRING NOT NULL,
  user_id STRING NOT NULL,
  platform_type STRING NOT NULL,
  name STRING NOT NULL,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  status STRING NOT NULL,
  credentials JSON,  -- Encrypted
  settings JSON,
  last_sync TIMESTAMP,
  sync_status STRING,
  landed_position INT64 NOT NULL,
  landed_at TIMESTAMP NOT NULL,
  landed_file STRING NOT NULL,
  landed_digest STRING NOT NULL,
  PRIMARY KEY (landed_position) NOT ENFORCED
)
CLUSTER BY user_id, platform_type;
