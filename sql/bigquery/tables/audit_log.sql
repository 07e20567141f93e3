-- Who approved, delivered, rotated, restored, exported and opened a tenant session.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.audit_log` (
  audit_id STRING NOT NULL,
  user_id STRING NOT NULL,
  created_at TIMESTAMP NOT NULL,
  action STRING NOT NULL,
  actor STRING NOT NULL,
  object STRING,
  details JSON,
  PRIMARY KEY (audit_id) NOT ENFORCED
)
PARTITION BY DATE(created_at)
CLUSTER BY user_id, action;
