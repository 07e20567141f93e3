-- The one tenant whose rows a principal sees; a principal that is not here sees none.
-- Derived from its declaration by make derive.
CREATE TABLE `project.dataset.tenant_principals` (
  principal STRING NOT NULL,
  user_id STRING NOT NULL,
  PRIMARY KEY (principal) NOT ENFORCED
);
