-- Tenants: who may do what, and how much they may store.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.users` (
  user_id STRING NOT NULL,
  email STRING,
  organization STRING,
  created_at TIMESTAMP NOT NULL,
  last_login TIMESTAMP,
  permissions ARRAY<STRING>,
  quota JSON,
  PRIMARY KEY (user_id) NOT ENFORCED
)
CLUSTER BY user_id;
