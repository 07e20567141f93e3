-- The landed files: their numbers order them among all; their content digests identify them.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.ledger` (
  number INT64 NOT NULL,
  source STRING NOT NULL,
  digest STRING NOT NULL,
  name STRING NOT NULL,
  status STRING NOT NULL,
  revision INT64 NOT NULL,
  counts JSON,
  months JSON,
  folded_months ARRAY<STRING>,
  PRIMARY KEY (number) NOT ENFORCED
);
