-- What the three service accounts may do, and why each needs it. Nobody else needs access to the tables.
--
-- The accounts, and the permissions that BigQuery's own GRANT cannot give, are made by an administrator beforehand:
--
--   for role in writer analyst scheduler; do
--     account="audience-pipeline-$role@project.iam.gserviceaccount.com"
--     gcloud iam service-accounts create "audience-pipeline-$role" --project=project
--     # Running a job is a permission of the project that pays for it: bigquery.jobs.create.
--     gcloud projects add-iam-policy-binding project --member="serviceAccount:$account" --role=roles/bigquery.jobUser
--     # Reading large results as Arrow: bigquery.readsessions.create and getData.
--     gcloud projects add-iam-policy-binding project --member="serviceAccount:$account" \
--       --role=roles/bigquery.readSessionUser
--   done
--
-- `audience-pipeline migrate` itself is run by an administrator of the project: it makes datasets, policies and grants,
-- which none of these accounts may. A person who runs the pipeline by hand impersonates the writer
-- (`gcloud auth application-default login --impersonate-service-account=...`): the row access policies show their own
-- account nothing.

-- The writer lands, upserts, delivers and archives. It reads and changes rows of all tables (bigquery.tables.getData,
-- updateData), and makes and drops the staging tables of an upsert (bigquery.tables.create, delete). It gets these for
-- one dataset only, and no permission on policies or on the dataset's access.
GRANT `roles/bigquery.dataEditor` ON SCHEMA `project.dataset`
TO "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com";

-- The writer also answers `audience-pipeline sql`, which reads the views (bigquery.tables.getData) so that a plain name
-- never means a table with credentials.
GRANT `roles/bigquery.dataViewer` ON SCHEMA `project.dataset_views`
TO "serviceAccount:audience-pipeline-writer@project.iam.gserviceaccount.com";

-- The analyst reads the views (bigquery.tables.getData), which hold no credentials. It has no access to the tables
-- beneath them: the dataset of the views is authorized to read those in its place. Rows are still those of the one
-- tenant that tenant_principals gives the account, since policies go by who asks, not by which view.
GRANT `roles/bigquery.dataViewer` ON SCHEMA `project.dataset_views`
TO "serviceAccount:audience-pipeline-analyst@project.iam.gserviceaccount.com";

-- The scheduler decides when something is to be done, and changes nothing: it reads which distributions are due, and
-- how far landed files have come (bigquery.tables.getData on these two tables).
GRANT `roles/bigquery.dataViewer` ON TABLE `project.dataset.distributions`
TO "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com";
GRANT `roles/bigquery.dataViewer` ON TABLE `project.dataset.ledger`
TO "serviceAccount:audience-pipeline-scheduler@project.iam.gserviceaccount.com";
