-- Who sees which rows. Derived from the declarations by make derive.
--
-- Once a table has a policy, a caller whom none of its policies names sees no row, owners included. So every table of
-- tenants' rows has two. `pipeline` lets the pipeline's own accounts see all rows, and with that change them. `tenants`
-- lets everybody else see the rows of the one tenant that tenant_principals gives them: none, for a caller who
-- is not in it. A policy gives access to no table; grants.sql does that.

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.users`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.users`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.audiences`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.audiences`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.platforms`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.platforms`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.distributions`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.distributions`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.distribution_events`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.distribution_events`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.distributions_archive`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.distributions_archive`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.archive_manifest`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.archive_manifest`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.audit_log`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.audit_log`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.landed_users`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.landed_users`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.landed_audiences`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.landed_audiences`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.landed_platforms`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.landed_platforms`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.landed_distributions`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.landed_distributions`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.keys_users`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.keys_users`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.keys_audiences`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.keys_audiences`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.keys_platforms`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.keys_platforms`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.keys_distributions`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.keys_distributions`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.keys_distribution_events`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.keys_distribution_events`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.keys_archive_manifest`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.keys_archive_manifest`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);

CREATE OR REPLACE ROW ACCESS POLICY pipeline ON `project.dataset.keys_audit_log`
GRANT TO (
  "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com",
  "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com"
)
FILTER USING (TRUE);
CREATE OR REPLACE ROW ACCESS POLICY tenants ON `project.dataset.keys_audit_log`
GRANT TO ("allAuthenticatedUsers")
FILTER USING (
  user_id IN (SELECT user_id FROM `project.dataset.tenant_principals` WHERE principal = SESSION_USER())
);
