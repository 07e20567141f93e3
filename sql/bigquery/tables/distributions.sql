-- Audience segments sent, or to be sent, to a platform, with the outcome on record.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.distributions` (
  distribution_id STRING NOT NULL,
  user_id STRING NOT NULL,
  audience_id STRING NOT NULL,
  platform_id STRING NOT NULL,
  created_at TIMESTAMP NOT NULL,
  scheduled_at TIMESTAMP,
  executed_at TIMESTAMP,
  status STRING NOT NULL,
  distribution_type STRING,
  segments_distributed ARRAY<STRING>,
  match_results JSON,
  error_details JSON,
  metadata JSON,
  PRIMARY KEY (distribution_id) NOT ENFORCED
)
PARTITION BY DATE(created_at)
CLUSTER BY user_id, audience_id, status;
