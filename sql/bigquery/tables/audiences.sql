-- Audience definitions: the variables and segments a user built, with aggregate sizes only.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.audiences` (
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
  PRIMARY KEY (audience_id) NOT ENFORCED
)
PARTITION BY DATE(created_at)
CLUSTER BY user_id, status;
