-- Accepted users records as they landed, append-only; folding them gives users.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.landed_users` (
  user_id STRING NOT NULL,
  email STRING,
  organization STRING,
  created_at TIMESTAMP NOT NULL,
  last_login TIMESTAMP,
  permissions ARRAY<STRING>,
  quota JSON,
  landed_position INT64 NOT NULL,
  landed_at TIMESTAMP NOT NULL,
  landed_file STRING NOT NULL,
  landed_digest STRING NOT NULL,
  PRIMARY KEY (landed_position) NOT ENFORCED
)
CLUSTER BY user_id;
