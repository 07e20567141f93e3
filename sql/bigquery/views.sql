-- What analysts read, without secrets. Derived from the declarations by make derive.

CREATE OR REPLACE VIEW `project.dataset_views.users` (
  user_id OPTIONS (description = 'Identifies the tenant.'),
  email OPTIONS (description = 'Where the tenant is reached.'),
  organization OPTIONS (description = 'The tenant\'s organization.'),
  created_at OPTIONS (description = 'When the tenant was set up.'),
  last_login OPTIONS (description = 'When the tenant was last seen.'),
  permissions OPTIONS (description = 'What the tenant may do.'),
  quota OPTIONS (description = 'Limits, and their use so far.')
)
OPTIONS (description = 'Tenants: who may do what, and how much they may store.') AS
SELECT
  user_id,
  email,
  organization,
  created_at,
  last_login,
  permissions,
  quota
FROM `project.dataset.users`;

CREATE OR REPLACE VIEW `project.dataset_views.audiences` (
  audience_id OPTIONS (description = 'Identifies the audience.'),
  user_id OPTIONS (description = 'The tenant that owns the row.'),
  name OPTIONS (description = 'What people call the audience.'),
  description OPTIONS (description = 'What the audience is for.'),
  created_at OPTIONS (description = 'When it was created; decides its month.'),
  updated_at OPTIONS (description = 'When it last changed; the newer record wins.'),
  status OPTIONS (description = 'Where it is in its life.'),
  data_type OPTIONS (description = 'Where its data comes from.'),
  original_query OPTIONS (description = 'The request the audience was built from.'),
  selected_variables OPTIONS (description = 'Codes of the variables chosen.'),
  variable_details OPTIONS (description = 'The variables in full.'),
  segments OPTIONS (description = 'The segments, with PRIZM codes and sizes.'),
  total_audience_size OPTIONS (description = 'People or households in all.'),
  metadata OPTIONS (description = 'Tags, campaign, notes.')
)
OPTIONS (description = 'Audience definitions: the variables and segments a user built, with aggregate sizes only.') AS
SELECT
  audience_id,
  user_id,
  name,
  description,
  created_at,
  updated_at,
  status,
  data_type,
  original_query,
  selected_variables,
  variable_details,
  segments,
  total_audience_size,
  metadata
FROM `project.dataset.audiences`;

CREATE OR REPLACE VIEW `project.dataset_views.platforms` (
  platform_id OPTIONS (description = 'Identifies the platform.'),
  user_id OPTIONS (description = 'The tenant that owns the row.'),
  platform_type OPTIONS (description = 'the_trade_desk, google_ads, facebook, amazon_dsp, or another connector\'s name.'),
  name OPTIONS (description = 'What people call the platform.'),
  created_at OPTIONS (description = 'When it was set up.'),
  updated_at OPTIONS (description = 'When it last changed; the newer record wins.'),
  status OPTIONS (description = 'Whether it may be used.'),
  settings OPTIONS (description = 'Match rate, refresh.'),
  last_sync OPTIONS (description = 'When the engine last reached it.'),
  sync_status OPTIONS (description = 'How that went.')
)
OPTIONS (description = 'Ad platforms a user distributes to: settings, sync state, and credentials sealed at rest.') AS
SELECT
  platform_id,
  user_id,
  platform_type,
  name,
  created_at,
  updated_at,
  status,
  settings,
  last_sync,
  sync_status
FROM `project.dataset.platforms`;

CREATE OR REPLACE VIEW `project.dataset_views.distributions` (
  distribution_id OPTIONS (description = 'Identifies the distribution.'),
  user_id OPTIONS (description = 'The tenant that owns the row.'),
  audience_id OPTIONS (description = 'What is sent.'),
  platform_id OPTIONS (description = 'Where it is sent.'),
  created_at OPTIONS (description = 'When it was asked for; decides its month.'),
  scheduled_at OPTIONS (description = 'When it is due; null is at once.'),
  executed_at OPTIONS (description = 'When it was sent.'),
  status OPTIONS (description = 'Where it is in its life.'),
  distribution_type OPTIONS (description = 'How much is sent.'),
  segments_distributed OPTIONS (description = 'Ids of the segments sent.'),
  match_results OPTIONS (description = 'What the platform reported.'),
  error_details OPTIONS (description = 'Why it failed or is held.'),
  metadata OPTIONS (description = 'Campaign, cost estimate, approval.')
)
OPTIONS (description = 'Audience segments sent, or to be sent, to a platform, with the outcome on record.') AS
SELECT
  distribution_id,
  user_id,
  audience_id,
  platform_id,
  created_at,
  scheduled_at,
  executed_at,
  status,
  distribution_type,
  segments_distributed,
  match_results,
  error_details,
  metadata
FROM `project.dataset.distributions`;

CREATE OR REPLACE VIEW `project.dataset_views.distribution_events` (
  event_id OPTIONS (description = 'Derived from distribution, attempt, from, to.'),
  distribution_id OPTIONS (description = 'What it happened to.'),
  user_id OPTIONS (description = 'The tenant that owns the row.'),
  created_at OPTIONS (description = 'When it happened.'),
  from_status OPTIONS (description = 'Status before.'),
  to_status OPTIONS (description = 'Status after.'),
  attempt OPTIONS (description = 'Which attempt, from 1.'),
  actor OPTIONS (description = 'Who or what did it.'),
  reason OPTIONS (description = 'Why.'),
  evidence OPTIONS (description = 'What the platform said, redacted.')
)
OPTIONS (description = 'Each transition and attempt of a distribution, filed under the event\'s own month.') AS
SELECT
  event_id,
  distribution_id,
  user_id,
  created_at,
  from_status,
  to_status,
  attempt,
  actor,
  reason,
  evidence
FROM `project.dataset.distribution_events`;

CREATE OR REPLACE VIEW `project.dataset_views.distributions_archive` (
  distribution_id OPTIONS (description = 'Identifies the distribution.'),
  user_id OPTIONS (description = 'The tenant that owns the row.'),
  audience_id OPTIONS (description = 'What is sent.'),
  platform_id OPTIONS (description = 'Where it is sent.'),
  created_at OPTIONS (description = 'When it was asked for; decides its month.'),
  scheduled_at OPTIONS (description = 'When it is due; null is at once.'),
  executed_at OPTIONS (description = 'When it was sent.'),
  status OPTIONS (description = 'Where it is in its life.'),
  distribution_type OPTIONS (description = 'How much is sent.'),
  segments_distributed OPTIONS (description = 'Ids of the segments sent.'),
  match_results OPTIONS (description = 'What the platform reported.'),
  error_details OPTIONS (description = 'Why it failed or is held.'),
  metadata OPTIONS (description = 'Campaign, cost estimate, approval.'),
  archived_at OPTIONS (description = 'When the row was archived.')
)
OPTIONS (description = 'Distributions that ended more than 90 days ago, kept readable beside the live table.') AS
SELECT
  distribution_id,
  user_id,
  audience_id,
  platform_id,
  created_at,
  scheduled_at,
  executed_at,
  status,
  distribution_type,
  segments_distributed,
  match_results,
  error_details,
  metadata,
  archived_at
FROM `project.dataset.distributions_archive`;

CREATE OR REPLACE VIEW `project.dataset_views.archive_manifest` (
  entry_id OPTIONS (description = 'Derived from run, step, user and month.'),
  user_id OPTIONS (description = 'The tenant concerned.'),
  created_at OPTIONS (description = 'When it was noted.'),
  run_id OPTIONS (description = 'Which run, restore or deliberate repair noted it.'),
  actor OPTIONS (description = 'Who or what ran it.'),
  step OPTIONS (description = 'What was done.'),
  month OPTIONS (description = 'The month of the rows, yyyymm.'),
  cut_off OPTIONS (description = 'Rows created before it were old enough; null of a restore.'),
  row_count OPTIONS (description = 'Rows this step is about.'),
  byte_count OPTIONS (description = 'The size of their values.'),
  archive_row_count OPTIONS (description = 'Rows in the archive after it.'),
  digest OPTIONS (description = 'Content digest of these.'),
  keys OPTIONS (description = 'The distributions brought back.'),
  until OPTIONS (description = 'Until when they stay live.')
)
OPTIONS (description = 'What each archive run copied, removed and brought back: an entry a user, month and step, never changed.') AS
SELECT
  entry_id,
  user_id,
  created_at,
  run_id,
  actor,
  step,
  month,
  cut_off,
  row_count,
  byte_count,
  archive_row_count,
  digest,
  keys,
  until
FROM `project.dataset.archive_manifest`;

CREATE OR REPLACE VIEW `project.dataset_views.audit_log` (
  audit_id OPTIONS (description = 'Identifies the entry.'),
  user_id OPTIONS (description = 'The tenant concerned.'),
  created_at OPTIONS (description = 'When it was done.'),
  action OPTIONS (description = 'What was done.'),
  actor OPTIONS (description = 'Who did it.'),
  object OPTIONS (description = 'To what.'),
  details OPTIONS (description = 'What else is to know, redacted.')
)
OPTIONS (description = 'Who approved, delivered, rotated, restored, exported and opened a tenant session.') AS
SELECT
  audit_id,
  user_id,
  created_at,
  action,
  actor,
  object,
  details
FROM `project.dataset.audit_log`;

CREATE OR REPLACE VIEW `project.dataset_views.distributions_all` (
  distribution_id OPTIONS (description = 'Identifies the distribution.'),
  user_id OPTIONS (description = 'The tenant that owns the row.'),
  audience_id OPTIONS (description = 'What is sent.'),
  platform_id OPTIONS (description = 'Where it is sent.'),
  created_at OPTIONS (description = 'When it was asked for; decides its month.'),
  scheduled_at OPTIONS (description = 'When it is due; null is at once.'),
  executed_at OPTIONS (description = 'When it was sent.'),
  status OPTIONS (description = 'Where it is in its life.'),
  distribution_type OPTIONS (description = 'How much is sent.'),
  segments_distributed OPTIONS (description = 'Ids of the segments sent.'),
  match_results OPTIONS (description = 'What the platform reported.'),
  error_details OPTIONS (description = 'Why it failed or is held.'),
  metadata OPTIONS (description = 'Campaign, cost estimate, approval.'),
  archived_at OPTIONS (description = 'When the row was archived.')
)
OPTIONS (description = 'Live and archived distributions; archived_at is null in live ones.') AS
SELECT
  distribution_id,
  user_id,
  audience_id,
  platform_id,
  created_at,
  scheduled_at,
  executed_at,
  status,
  distribution_type,
  segments_distributed,
  match_results,
  error_details,
  metadata,
  CAST(NULL AS TIMESTAMP) AS archived_at
FROM `project.dataset.distributions`
UNION ALL
SELECT
  distribution_id,
  user_id,
  audience_id,
  platform_id,
  created_at,
  scheduled_at,
  executed_at,
  status,
  distribution_type,
  segments_distributed,
  match_results,
  error_details,
  metadata,
  archived_at
FROM `project.dataset.distributions_archive`
WHERE distribution_id NOT IN (SELECT distribution_id FROM `project.dataset.distributions`);

CREATE OR REPLACE VIEW `project.dataset_views.delivery_log` (
  created_at OPTIONS (description = 'When it happened.'),
  user_id OPTIONS (description = 'The tenant that owns the row.'),
  distribution_id OPTIONS (description = 'What it happened to.'),
  audience_id OPTIONS (description = 'What is sent.'),
  platform_id OPTIONS (description = 'Where it is sent.'),
  distribution_type OPTIONS (description = 'How much is sent.'),
  from_status OPTIONS (description = 'Status before.'),
  to_status OPTIONS (description = 'Status after.'),
  attempt OPTIONS (description = 'Which attempt, from 1.'),
  actor OPTIONS (description = 'Who or what did it.'),
  reason OPTIONS (description = 'Why.'),
  evidence OPTIONS (description = 'What the platform said, redacted.')
)
OPTIONS (description = 'What happened to each distribution, archived ones too: an event a row, with what was sent where.') AS
SELECT
  e.created_at,
  e.user_id,
  e.distribution_id,
  d.audience_id,
  d.platform_id,
  d.distribution_type,
  e.from_status,
  e.to_status,
  e.attempt,
  e.actor,
  e.reason,
  e.evidence
FROM `project.dataset.distribution_events` AS e
LEFT JOIN `project.dataset_views.distributions_all` AS d ON d.distribution_id = e.distribution_id AND d.user_id = e.user_id;
