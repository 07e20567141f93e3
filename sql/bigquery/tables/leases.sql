-- Who holds a user's quota or a table's landing, and until when.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.leases` (
  name STRING NOT NULL,
  holder STRING NOT NULL,
  expires_at TIMESTAMP NOT NULL,
  PRIMARY KEY (name) NOT ENFORCED
);
