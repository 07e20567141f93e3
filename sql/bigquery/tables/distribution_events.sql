-- Each transition and attempt of a distribution, filed under the event's own month.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.distribution_events` (
  event_id STRING NOT NULL,
  distribution_id STRING NOT NULL,
  user_id STRING NOT NULL,
  created_at TIMESTAMP NOT NULL,
  from_status STRING,
  to_status STRING,
  attempt INT64,
  actor STRING NOT NULL,
  reason STRING,
  evidence JSON,
  PRIMARY KEY (event_id) NOT ENFORCED
)
PARTITION BY DATE(created_at)
CLUSTER BY user_id, distribution_id;
