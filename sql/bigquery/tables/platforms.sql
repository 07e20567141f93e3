-- Ad platforms a user distributes to: settings, sync state, and credentials sealed at rest.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.platforms` (
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
  PRIMARY KEY (platform_id) NOT ENFORCED
)
CLUSTER BY user_id, platform_type;
