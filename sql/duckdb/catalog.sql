-- The analysts' catalog: views over the live tables, and the access patterns as table macros.
-- Derived from the declarations by `make derive`; `audience-pipeline migrate` runs it with {data} replaced by the
-- data directory. An example session stands in docs/analysts.md.

CREATE VIEW users AS
SELECT
  user_id,
  email,
  organization,
  created_at,
  last_login,
  permissions,
  quota::JSON AS quota
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/users/user_id=*/users.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS user_id,
    NULL::VARCHAR AS email,
    NULL::VARCHAR AS organization,
    NULL::TIMESTAMP AS created_at,
    NULL::TIMESTAMP AS last_login,
    NULL::VARCHAR[] AS permissions,
    NULL::VARCHAR AS quota
  WHERE false
);

COMMENT ON VIEW users IS 'Tenants: who may do what, and how much they may store.';

COMMENT ON COLUMN users.user_id IS 'Identifies the tenant.';
COMMENT ON COLUMN users.email IS 'Where the tenant is reached.';
COMMENT ON COLUMN users.organization IS 'The tenant''s organization.';
COMMENT ON COLUMN users.created_at IS 'When the tenant was set up.';
COMMENT ON COLUMN users.last_login IS 'When the tenant was last seen.';
COMMENT ON COLUMN users.permissions IS 'What the tenant may do.';
COMMENT ON COLUMN users.quota IS 'Limits, and their use so far.';

CREATE VIEW audiences AS
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
  variable_details::JSON AS variable_details,
  segments::JSON AS segments,
  total_audience_size,
  metadata::JSON AS metadata
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/audiences/user_id=*/year=*/month=*/audiences_*.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS audience_id,
    NULL::VARCHAR AS user_id,
    NULL::VARCHAR AS name,
    NULL::VARCHAR AS description,
    NULL::TIMESTAMP AS created_at,
    NULL::TIMESTAMP AS updated_at,
    NULL::VARCHAR AS status,
    NULL::VARCHAR AS data_type,
    NULL::VARCHAR AS original_query,
    NULL::VARCHAR[] AS selected_variables,
    NULL::VARCHAR AS variable_details,
    NULL::VARCHAR AS segments,
    NULL::BIGINT AS total_audience_size,
    NULL::VARCHAR AS metadata
  WHERE false
);

COMMENT ON VIEW audiences IS 'Audience definitions: the variables and segments a user built, with aggregate sizes only.';

COMMENT ON COLUMN audiences.audience_id IS 'Identifies the audience.';
COMMENT ON COLUMN audiences.user_id IS 'The tenant that owns the row.';
COMMENT ON COLUMN audiences.name IS 'What people call the audience.';
COMMENT ON COLUMN audiences.description IS 'What the audience is for.';
COMMENT ON COLUMN audiences.created_at IS 'When it was created; decides its month.';
COMMENT ON COLUMN audiences.updated_at IS 'When it last changed; the newer record wins.';
COMMENT ON COLUMN audiences.status IS 'Where it is in its life.';
COMMENT ON COLUMN audiences.data_type IS 'Where its data comes from.';
COMMENT ON COLUMN audiences.original_query IS 'The request the audience was built from.';
COMMENT ON COLUMN audiences.selected_variables IS 'Codes of the variables chosen.';
COMMENT ON COLUMN audiences.variable_details IS 'The variables in full.';
COMMENT ON COLUMN audiences.segments IS 'The segments, with PRIZM codes and sizes.';
COMMENT ON COLUMN audiences.total_audience_size IS 'People or households in all.';
COMMENT ON COLUMN audiences.metadata IS 'Tags, campaign, notes.';

CREATE VIEW platforms AS
SELECT
  platform_id,
  user_id,
  platform_type,
  name,
  created_at,
  updated_at,
  status,
  settings::JSON AS settings,
  last_sync,
  sync_status
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/platforms/user_id=*/platforms.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS platform_id,
    NULL::VARCHAR AS user_id,
    NULL::VARCHAR AS platform_type,
    NULL::VARCHAR AS name,
    NULL::TIMESTAMP AS created_at,
    NULL::TIMESTAMP AS updated_at,
    NULL::VARCHAR AS status,
    NULL::VARCHAR AS settings,
    NULL::TIMESTAMP AS last_sync,
    NULL::VARCHAR AS sync_status
  WHERE false
);

COMMENT ON VIEW platforms IS 'Ad platforms a user distributes to: settings, sync state, and credentials sealed at rest.';

COMMENT ON COLUMN platforms.platform_id IS 'Identifies the platform.';
COMMENT ON COLUMN platforms.user_id IS 'The tenant that owns the row.';
COMMENT ON COLUMN platforms.platform_type IS 'the_trade_desk, google_ads, facebook, amazon_dsp, or another connector''s name.';
COMMENT ON COLUMN platforms.name IS 'What people call the platform.';
COMMENT ON COLUMN platforms.created_at IS 'When it was set up.';
COMMENT ON COLUMN platforms.updated_at IS 'When it last changed; the newer record wins.';
COMMENT ON COLUMN platforms.status IS 'Whether it may be used.';
COMMENT ON COLUMN platforms.settings IS 'Match rate, refresh.';
COMMENT ON COLUMN platforms.last_sync IS 'When the engine last reached it.';
COMMENT ON COLUMN platforms.sync_status IS 'How that went.';

CREATE VIEW distributions AS
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
  match_results::JSON AS match_results,
  error_details::JSON AS error_details,
  metadata::JSON AS metadata
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/distributions/user_id=*/year=*/month=*/distributions_*.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS distribution_id,
    NULL::VARCHAR AS user_id,
    NULL::VARCHAR AS audience_id,
    NULL::VARCHAR AS platform_id,
    NULL::TIMESTAMP AS created_at,
    NULL::TIMESTAMP AS scheduled_at,
    NULL::TIMESTAMP AS executed_at,
    NULL::VARCHAR AS status,
    NULL::VARCHAR AS distribution_type,
    NULL::VARCHAR[] AS segments_distributed,
    NULL::VARCHAR AS match_results,
    NULL::VARCHAR AS error_details,
    NULL::VARCHAR AS metadata
  WHERE false
);

COMMENT ON VIEW distributions IS 'Audience segments sent, or to be sent, to a platform, with the outcome on record.';

COMMENT ON COLUMN distributions.distribution_id IS 'Identifies the distribution.';
COMMENT ON COLUMN distributions.user_id IS 'The tenant that owns the row.';
COMMENT ON COLUMN distributions.audience_id IS 'What is sent.';
COMMENT ON COLUMN distributions.platform_id IS 'Where it is sent.';
COMMENT ON COLUMN distributions.created_at IS 'When it was asked for; decides its month.';
COMMENT ON COLUMN distributions.scheduled_at IS 'When it is due; null is at once.';
COMMENT ON COLUMN distributions.executed_at IS 'When it was sent.';
COMMENT ON COLUMN distributions.status IS 'Where it is in its life.';
COMMENT ON COLUMN distributions.distribution_type IS 'How much is sent.';
COMMENT ON COLUMN distributions.segments_distributed IS 'Ids of the segments sent.';
COMMENT ON COLUMN distributions.match_results IS 'What the platform reported.';
COMMENT ON COLUMN distributions.error_details IS 'Why it failed or is held.';
COMMENT ON COLUMN distributions.metadata IS 'Campaign, cost estimate, approval.';

CREATE VIEW distribution_events AS
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
  evidence::JSON AS evidence
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/distribution_events/user_id=*/year=*/month=*/distribution_events_*.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS event_id,
    NULL::VARCHAR AS distribution_id,
    NULL::VARCHAR AS user_id,
    NULL::TIMESTAMP AS created_at,
    NULL::VARCHAR AS from_status,
    NULL::VARCHAR AS to_status,
    NULL::BIGINT AS attempt,
    NULL::VARCHAR AS actor,
    NULL::VARCHAR AS reason,
    NULL::VARCHAR AS evidence
  WHERE false
);

COMMENT ON VIEW distribution_events IS 'Each transition and attempt of a distribution, filed under the event''s own month.';

COMMENT ON COLUMN distribution_events.event_id IS 'Derived from distribution, attempt, from, to.';
COMMENT ON COLUMN distribution_events.distribution_id IS 'What it happened to.';
COMMENT ON COLUMN distribution_events.user_id IS 'The tenant that owns the row.';
COMMENT ON COLUMN distribution_events.created_at IS 'When it happened.';
COMMENT ON COLUMN distribution_events.from_status IS 'Status before.';
COMMENT ON COLUMN distribution_events.to_status IS 'Status after.';
COMMENT ON COLUMN distribution_events.attempt IS 'Which attempt, from 1.';
COMMENT ON COLUMN distribution_events.actor IS 'Who or what did it.';
COMMENT ON COLUMN distribution_events.reason IS 'Why.';
COMMENT ON COLUMN distribution_events.evidence IS 'What the platform said, redacted.';

CREATE VIEW distributions_archive AS
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
  match_results::JSON AS match_results,
  error_details::JSON AS error_details,
  metadata::JSON AS metadata,
  archived_at
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/distributions_archive/user_id=*/year=*/month=*/distributions_archive_*.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS distribution_id,
    NULL::VARCHAR AS user_id,
    NULL::VARCHAR AS audience_id,
    NULL::VARCHAR AS platform_id,
    NULL::TIMESTAMP AS created_at,
    NULL::TIMESTAMP AS scheduled_at,
    NULL::TIMESTAMP AS executed_at,
    NULL::VARCHAR AS status,
    NULL::VARCHAR AS distribution_type,
    NULL::VARCHAR[] AS segments_distributed,
    NULL::VARCHAR AS match_results,
    NULL::VARCHAR AS error_details,
    NULL::VARCHAR AS metadata,
    NULL::TIMESTAMP AS archived_at
  WHERE false
);

COMMENT ON VIEW distributions_archive IS 'Distributions that ended more than 90 days ago, kept readable beside the live table.';

COMMENT ON COLUMN distributions_archive.distribution_id IS 'Identifies the distribution.';
COMMENT ON COLUMN distributions_archive.user_id IS 'The tenant that owns the row.';
COMMENT ON COLUMN distributions_archive.audience_id IS 'What is sent.';
COMMENT ON COLUMN distributions_archive.platform_id IS 'Where it is sent.';
COMMENT ON COLUMN distributions_archive.created_at IS 'When it was asked for; decides its month.';
COMMENT ON COLUMN distributions_archive.scheduled_at IS 'When it is due; null is at once.';
COMMENT ON COLUMN distributions_archive.executed_at IS 'When it was sent.';
COMMENT ON COLUMN distributions_archive.status IS 'Where it is in its life.';
COMMENT ON COLUMN distributions_archive.distribution_type IS 'How much is sent.';
COMMENT ON COLUMN distributions_archive.segments_distributed IS 'Ids of the segments sent.';
COMMENT ON COLUMN distributions_archive.match_results IS 'What the platform reported.';
COMMENT ON COLUMN distributions_archive.error_details IS 'Why it failed or is held.';
COMMENT ON COLUMN distributions_archive.metadata IS 'Campaign, cost estimate, approval.';
COMMENT ON COLUMN distributions_archive.archived_at IS 'When the row was archived.';

CREATE VIEW archive_manifest AS
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
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/archive_manifest/user_id=*/year=*/month=*/archive_manifest_*.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS entry_id,
    NULL::VARCHAR AS user_id,
    NULL::TIMESTAMP AS created_at,
    NULL::VARCHAR AS run_id,
    NULL::VARCHAR AS actor,
    NULL::VARCHAR AS step,
    NULL::BIGINT AS month,
    NULL::TIMESTAMP AS cut_off,
    NULL::BIGINT AS row_count,
    NULL::BIGINT AS byte_count,
    NULL::BIGINT AS archive_row_count,
    NULL::VARCHAR AS digest,
    NULL::VARCHAR[] AS keys,
    NULL::TIMESTAMP AS until
  WHERE false
);

COMMENT ON VIEW archive_manifest IS 'What each archive run copied, removed and brought back: an entry a user, month and step, never changed.';

COMMENT ON COLUMN archive_manifest.entry_id IS 'Derived from run, step, user and month.';
COMMENT ON COLUMN archive_manifest.user_id IS 'The tenant concerned.';
COMMENT ON COLUMN archive_manifest.created_at IS 'When it was noted.';
COMMENT ON COLUMN archive_manifest.run_id IS 'Which run, restore or deliberate repair noted it.';
COMMENT ON COLUMN archive_manifest.actor IS 'Who or what ran it.';
COMMENT ON COLUMN archive_manifest.step IS 'What was done.';
COMMENT ON COLUMN archive_manifest.month IS 'The month of the rows, yyyymm.';
COMMENT ON COLUMN archive_manifest.cut_off IS 'Rows created before it were old enough; null of a restore.';
COMMENT ON COLUMN archive_manifest.row_count IS 'Rows this step is about.';
COMMENT ON COLUMN archive_manifest.byte_count IS 'The size of their values.';
COMMENT ON COLUMN archive_manifest.archive_row_count IS 'Rows in the archive after it.';
COMMENT ON COLUMN archive_manifest.digest IS 'Content digest of these.';
COMMENT ON COLUMN archive_manifest.keys IS 'The distributions brought back.';
COMMENT ON COLUMN archive_manifest.until IS 'Until when they stay live.';

CREATE VIEW audit_log AS
SELECT
  audit_id,
  user_id,
  created_at,
  action,
  actor,
  object,
  details::JSON AS details
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/audit_log/user_id=*/year=*/month=*/audit_log_*.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS audit_id,
    NULL::VARCHAR AS user_id,
    NULL::TIMESTAMP AS created_at,
    NULL::VARCHAR AS action,
    NULL::VARCHAR AS actor,
    NULL::VARCHAR AS object,
    NULL::VARCHAR AS details
  WHERE false
);

COMMENT ON VIEW audit_log IS 'Who approved, delivered, rotated, restored, exported and opened a tenant session.';

COMMENT ON COLUMN audit_log.audit_id IS 'Identifies the entry.';
COMMENT ON COLUMN audit_log.user_id IS 'The tenant concerned.';
COMMENT ON COLUMN audit_log.created_at IS 'When it was done.';
COMMENT ON COLUMN audit_log.action IS 'What was done.';
COMMENT ON COLUMN audit_log.actor IS 'Who did it.';
COMMENT ON COLUMN audit_log.object IS 'To what.';
COMMENT ON COLUMN audit_log.details IS 'What else is to know, redacted.';

CREATE VIEW distributions_all AS
WITH live AS MATERIALIZED (FROM distributions)
SELECT *, NULL::TIMESTAMP AS archived_at FROM live
UNION ALL BY NAME
SELECT * FROM distributions_archive ANTI JOIN live USING (distribution_id);

COMMENT ON VIEW distributions_all IS 'Live and archived distributions; archived_at is null in live ones.';

CREATE VIEW delivery_log AS
SELECT e.created_at, e.user_id, e.distribution_id, d.audience_id, d.platform_id, d.distribution_type, e.from_status, e.to_status, e.attempt, e.actor, e.reason, e.evidence
FROM distribution_events AS e LEFT JOIN distributions_all AS d ON d.distribution_id = e.distribution_id AND d.user_id = e.user_id;

COMMENT ON VIEW delivery_log IS 'What happened to each distribution, archived ones too: an event a row, with what was sent where.';

CREATE VIEW audience_segments AS
SELECT audience_id, user_id, position, unnest(element)
FROM audiences, unnest(from_json(segments, '[{"segment_id":"VARCHAR","name":"VARCHAR","size":"BIGINT","size_percentage":"DOUBLE","characteristics":"JSON","prizm_segments":["VARCHAR"]}]')) WITH ORDINALITY AS element_at(element, position);

COMMENT ON VIEW audience_segments IS 'Segments of audiences.';

CREATE VIEW audience_variables AS
SELECT audience_id, user_id, position, unnest(element)
FROM audiences, unnest(from_json(variable_details, '[{"code":"VARCHAR","description":"VARCHAR","relevance_score":"DOUBLE","type":"VARCHAR"}]')) WITH ORDINALITY AS element_at(element, position);

COMMENT ON VIEW audience_variables IS 'Variables of audiences.';

CREATE VIEW audience_metadata AS
SELECT audience_id, user_id,
  unnest(from_json(metadata, '{"tags":["VARCHAR"],"campaign_id":"VARCHAR","notes":"VARCHAR"}'))
FROM audiences;

COMMENT ON VIEW audience_metadata IS 'What audiences are for.';

CREATE VIEW platform_settings AS
SELECT platform_id, user_id, platform_type, status,
  unnest(from_json(settings, '{"default_match_rate":"DOUBLE","auto_refresh":"BOOLEAN","refresh_frequency":"VARCHAR"}'))
FROM platforms;

COMMENT ON VIEW platform_settings IS 'How platforms are used.';

CREATE VIEW distribution_results AS
SELECT distribution_id, user_id, audience_id, platform_id, created_at, executed_at, status, archived_at,
  unnest(from_json(match_results, '{"total_records":"BIGINT","matched_records":"BIGINT","match_rate":"DOUBLE","platform_audience_id":"VARCHAR","basis":"VARCHAR","as_of":"TIMESTAMP","match_rate_lower":"DOUBLE","match_rate_upper":"DOUBLE","sent":[{"segment_id":"VARCHAR","size":"BIGINT","digest":"VARCHAR"}],"total_size":"BIGINT","full_at":"TIMESTAMP","outcome":"VARCHAR"}')),
  unnest(from_json(error_details, '{"error_code":"VARCHAR","error_message":"VARCHAR","retry_count":"BIGINT","hold":"VARCHAR","next_attempt_at":"TIMESTAMP","look_again_at":"TIMESTAMP","attempt":{"number":"BIGINT","generation":"BIGINT","token":"VARCHAR","began_at":"TIMESTAMP","lease_until":"TIMESTAMP","digest":"VARCHAR","reference":"VARCHAR","submitted_at":"TIMESTAMP","polls":"BIGINT","last":{"at":"TIMESTAMP","from_status":"VARCHAR","to_status":"VARCHAR","actor":"VARCHAR","reason":"VARCHAR","evidence":"JSON"}}}'))
FROM distributions_all;

COMMENT ON VIEW distribution_results IS 'Match results and errors of all distributions, archived ones too.';

CREATE VIEW distribution_metadata AS
SELECT distribution_id, user_id, audience_id, platform_id, created_at, executed_at, status, archived_at,
  unnest(from_json(metadata, '{"campaign_name":"VARCHAR","cost_estimate":"DOUBLE","approval_status":"VARCHAR","approved_by":"VARCHAR","updated_at":"TIMESTAMP","approval_at":"TIMESTAMP","approval_expires_at":"TIMESTAMP","approval_reason":"VARCHAR","approval_digest":"VARCHAR","approval_standing":"BOOLEAN","approval_standing_digest":"VARCHAR","approval_verified":"BOOLEAN"}'))
FROM distributions_all;

COMMENT ON VIEW distribution_metadata IS 'Campaign, cost and approval of all distributions, archived ones too.';

CREATE VIEW user_quotas AS
SELECT user_id,
  unnest(from_json(quota, '{"max_audiences":"BIGINT","max_distributions_per_month":"BIGINT","current_usage":"JSON"}'))
FROM users;

COMMENT ON VIEW user_quotas IS 'Limits of users, and their use.';

CREATE MACRO user_audiences(for_user) AS TABLE
WITH audiences AS (
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
  variable_details::JSON AS variable_details,
  segments::JSON AS segments,
  total_audience_size,
  metadata::JSON AS metadata
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/audiences/user_id=' || url_encode(for_user) || '/year=*/month=*/audiences_*.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS audience_id,
    NULL::VARCHAR AS user_id,
    NULL::VARCHAR AS name,
    NULL::VARCHAR AS description,
    NULL::TIMESTAMP AS created_at,
    NULL::TIMESTAMP AS updated_at,
    NULL::VARCHAR AS status,
    NULL::VARCHAR AS data_type,
    NULL::VARCHAR AS original_query,
    NULL::VARCHAR[] AS selected_variables,
    NULL::VARCHAR AS variable_details,
    NULL::VARCHAR AS segments,
    NULL::BIGINT AS total_audience_size,
    NULL::VARCHAR AS metadata
  WHERE false
)
)
-- All audiences of a user that are not archived, newest first.
SELECT *
FROM audiences
WHERE user_id = for_user AND status != 'archived'
ORDER BY created_at DESC, audience_id;

COMMENT ON MACRO TABLE user_audiences IS 'All audiences of a user that are not archived.';

CREATE MACRO audience_detail(for_audience, owner := NULL) AS TABLE
WITH audiences AS (
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
  variable_details::JSON AS variable_details,
  segments::JSON AS segments,
  total_audience_size,
  metadata::JSON AS metadata
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/audiences/user_id=' || coalesce(url_encode(owner), '*') || '/year=*/month=*/audiences_*.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS audience_id,
    NULL::VARCHAR AS user_id,
    NULL::VARCHAR AS name,
    NULL::VARCHAR AS description,
    NULL::TIMESTAMP AS created_at,
    NULL::TIMESTAMP AS updated_at,
    NULL::VARCHAR AS status,
    NULL::VARCHAR AS data_type,
    NULL::VARCHAR AS original_query,
    NULL::VARCHAR[] AS selected_variables,
    NULL::VARCHAR AS variable_details,
    NULL::VARCHAR AS segments,
    NULL::BIGINT AS total_audience_size,
    NULL::VARCHAR AS metadata
  WHERE false
)
)
-- One audience with its segments: all columns.
SELECT *
FROM audiences
WHERE audience_id = for_audience
ORDER BY audience_id;

COMMENT ON MACRO TABLE audience_detail IS 'One audience with its segments.';

CREATE MACRO distribution_history(for_audience, for_user) AS TABLE
WITH distributions AS (
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
  match_results::JSON AS match_results,
  error_details::JSON AS error_details,
  metadata::JSON AS metadata
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/distributions/user_id=' || url_encode(for_user) || '/year=*/month=*/distributions_*.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS distribution_id,
    NULL::VARCHAR AS user_id,
    NULL::VARCHAR AS audience_id,
    NULL::VARCHAR AS platform_id,
    NULL::TIMESTAMP AS created_at,
    NULL::TIMESTAMP AS scheduled_at,
    NULL::TIMESTAMP AS executed_at,
    NULL::VARCHAR AS status,
    NULL::VARCHAR AS distribution_type,
    NULL::VARCHAR[] AS segments_distributed,
    NULL::VARCHAR AS match_results,
    NULL::VARCHAR AS error_details,
    NULL::VARCHAR AS metadata
  WHERE false
)
)
-- The distributions of one audience of a user, newest first.
SELECT *
FROM distributions
WHERE audience_id = for_audience AND user_id = for_user
ORDER BY created_at DESC, distribution_id;

COMMENT ON MACRO TABLE distribution_history IS 'The distributions of one audience of a user.';

CREATE MACRO active_platforms(for_user) AS TABLE
WITH platforms AS (
SELECT
  platform_id,
  user_id,
  platform_type,
  name,
  created_at,
  updated_at,
  status,
  settings::JSON AS settings,
  last_sync,
  sync_status
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/platforms/user_id=' || url_encode(for_user) || '/platforms.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS platform_id,
    NULL::VARCHAR AS user_id,
    NULL::VARCHAR AS platform_type,
    NULL::VARCHAR AS name,
    NULL::TIMESTAMP AS created_at,
    NULL::TIMESTAMP AS updated_at,
    NULL::VARCHAR AS status,
    NULL::VARCHAR AS settings,
    NULL::TIMESTAMP AS last_sync,
    NULL::VARCHAR AS sync_status
  WHERE false
)
)
-- The platforms a user can distribute to: every column but the credentials, which no query returns.
SELECT platform_id, user_id, platform_type, name, created_at, updated_at, status, settings, last_sync, sync_status
FROM platforms
WHERE user_id = for_user AND status = 'active'
ORDER BY platform_id;

COMMENT ON MACRO TABLE active_platforms IS 'The platforms a user can distribute to.';

CREATE MACRO recent_distributions(for_user, since, max_rows := 50) AS TABLE
WITH distributions AS (
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
  match_results::JSON AS match_results,
  error_details::JSON AS error_details,
  metadata::JSON AS metadata
FROM (
  FROM read_parquet(
    coalesce(getvariable('data_dir'), '{data}') || '/distributions/user_id=' || url_encode(for_user) || '/year=*/month=*/distributions_*.parquet',
    hive_partitioning = false, allow_empty = true
  )
  UNION ALL BY NAME
  SELECT
    NULL::VARCHAR AS distribution_id,
    NULL::VARCHAR AS user_id,
    NULL::VARCHAR AS audience_id,
    NULL::VARCHAR AS platform_id,
    NULL::TIMESTAMP AS created_at,
    NULL::TIMESTAMP AS scheduled_at,
    NULL::TIMESTAMP AS executed_at,
    NULL::VARCHAR AS status,
    NULL::VARCHAR AS distribution_type,
    NULL::VARCHAR[] AS segments_distributed,
    NULL::VARCHAR AS match_results,
    NULL::VARCHAR AS error_details,
    NULL::VARCHAR AS metadata
  WHERE false
)
)
-- The distributions a user created after a moment, newest first, so many at most.
SELECT *
FROM distributions
WHERE user_id = for_user AND created_at > since
ORDER BY created_at DESC, distribution_id
LIMIT max_rows;

COMMENT ON MACRO TABLE recent_distributions IS 'The newest distributions a user created after a moment.';
