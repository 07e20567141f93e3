-- Accepted audiences records as they landed, append-only; folding them gives audiences.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.landed_audiences` (
  audience_id STRING NOT NULL,
  user_id STRING NOT NULL,
  name STRING NOT NULL,
  description STRING,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  status STRING NOT NULL,
  data_type STRING NOT NULL,
  original_query STRING,
  selected_variables ARRAY<STRING>,
  variable_details JSON,
  segments JSON,
  total_audience_size INT64,
  metadata JSON,
  landed_position INT64 NOT NULL,
  landed_at TIMESTAMP NOT NULL,
  landed_file STRING NOT NULL,
  landed_digest STRING NOT NULL,
  PRIMARY KEY (landed_position) NOT ENFORCED
)
PARTITION BY DATE(created_at)
CLUSTER BY user_id, status;
