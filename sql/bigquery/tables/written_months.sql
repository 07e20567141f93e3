-- The months of users' own tables that were written, some of them without a row.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.written_months` (
  part STRING NOT NULL,
  name STRING NOT NULL,
  month INT64 NOT NULL,
  PRIMARY KEY (part) NOT ENFORCED
)
CLUSTER BY name;
