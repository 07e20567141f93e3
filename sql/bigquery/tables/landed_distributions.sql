-- Accepted distributions records as they landed, append-only; folding them gives distributions.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.landed_distributions` (
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
  landed_position INT64 NOT NULL,
  landed_at TIMESTAMP NOT NULL,
  landed_file STRING NOT NULL,
  landed_digest STRING NOT NULL,
  PRIMARY KEY (landed_position) NOT ENFORCED
)
PARTITION BY DATE(created_at)
CLUSTER BY user_id, audience_id, status;
