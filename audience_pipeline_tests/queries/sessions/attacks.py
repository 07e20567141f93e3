"""Statements that try to see, write or learn what a tenant's session must not give; each is refused.

``{data}`` is the data directory, ``{own}`` the directory of the tenant's audiences, ``{file}`` a file of another
tenant's audiences, ``{link}`` a symbolic link to it, ``{out}`` a place outside.
"""

_FILES = """
SELECT * FROM read_parquet('{file}')
SELECT * FROM read_parquet('{own}/../user_id=ben%2F..%2Fx%3Dy%25/year=2025/month=02/audiences_2025_02.parquet')
SELECT * FROM read_parquet('{own}/./year=2025/month=01/audiences_2025_01.parquet')
SELECT * FROM read_parquet('{data}/audiences/*/*/*/*.parquet')
SELECT * FROM read_parquet('{data}//audiences/**/*.parquet', filename = true)
SELECT * FROM read_parquet(['{file}'])
SELECT * FROM parquet_scan('{file}')
SELECT * FROM '{file}'
SELECT * FROM "{file}"
FROM '{data}/**/*.parquet'
FROM '{link}'
FROM 'file://{file}'
FROM 'http://127.0.0.1:1/x.parquet'
FROM 's3://bucket/x.parquet'
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_csv_auto('/etc/passwd')
SELECT * FROM '/etc/passwd.csv'
SELECT * FROM read_text('/etc/passwd')
SELECT * FROM read_text('{data}/_state/*')
SELECT * FROM read_blob('{file}')
SELECT * FROM read_json('{file}')
SELECT * FROM read_json_auto('{file}')
SELECT * FROM read_ndjson('{file}')
SELECT * FROM read_json_objects('{file}')
SELECT * FROM read_ndjson_objects('{file}')
SELECT * FROM read_duckdb('{data}/catalog.duckdb', table_name = 'users')
SELECT * FROM glob('{data}/**')
SELECT * FROM glob('/*')
SELECT * FROM parquet_metadata('{file}')
SELECT * FROM parquet_schema('{file}')
SELECT * FROM parquet_kv_metadata('{file}')
SELECT * FROM parquet_file_metadata('{file}')
SELECT * FROM parquet_full_metadata('{file}')
SELECT * FROM parquet_bloom_probe('{file}', 'user_id', 'x')
SELECT * FROM sniff_csv('/etc/passwd')
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM pandas_scan(1)
SELECT * FROM python_map_function(1, 2)
SELECT * FROM seq_scan('users')
SELECT (SELECT count(*) FROM read_parquet('{file}'))
SELECT * FROM users WHERE EXISTS (FROM read_parquet('{file}'))
SELECT * FROM users, LATERAL (SELECT * FROM read_parquet('{file}'))
WITH a AS (FROM read_parquet('{file}')) FROM a
SELECT list_transform([1], lambda x: (SELECT max(name) FROM read_parquet('{file}')))
SELECT CASE WHEN true THEN (SELECT max(name) FROM '{file}') END
SELECT sum(1) FILTER (WHERE (SELECT true FROM read_parquet('{file}') LIMIT 1)) FROM users
SELECT row_number() OVER (ORDER BY (SELECT max(name) FROM read_parquet('{file}'))) FROM users
FROM users ORDER BY (SELECT max(name) FROM read_parquet('{file}'))
FROM users LIMIT (SELECT count(*) FROM read_parquet('{file}'))
FROM users OFFSET (SELECT count(*) FROM read_parquet('{file}'))
SELECT * FROM users GROUP BY ALL HAVING (SELECT count(*) FROM read_parquet('{file}')) > 0
SELECT * FROM users QUALIFY (SELECT count(*) FROM read_parquet('{file}')) > 0
VALUES ((SELECT max(name) FROM read_parquet('{file}')))
SELECT * FROM (VALUES ((SELECT max(name) FROM read_parquet('{file}')))) v(x)
SELECT * FROM users UNION ALL BY NAME FROM read_parquet('{file}')
SELECT * FROM users AS u JOIN read_parquet('{file}') AS f ON true
SELECT * FROM users AS u POSITIONAL JOIN read_parquet('{file}') AS f
SELECT * FROM unnest((SELECT list(name) FROM read_parquet('{file}')))
SELECT * FROM range((SELECT count(*) FROM read_parquet('{file}')))
SELECT * REPLACE ((SELECT max(name) FROM read_parquet('{file}')) AS email) FROM users
DESCRIBE FROM read_parquet('{file}')
DESCRIBE SELECT * FROM '{file}'
EXPLAIN FROM read_parquet('{file}')
UNPIVOT (FROM read_parquet('{file}')) ON name
"""
_WRITES = """
COPY users TO '{out}/users.parquet'
COPY users TO '{own}/stray.parquet'
COPY (SELECT 1) TO '{own}/stray.csv'
COPY (FROM users) TO '{data}/users' (FORMAT parquet, PARTITION_BY (user_id))
COPY users FROM '{file}'
COPY FROM DATABASE memory TO other
EXPORT DATABASE '{out}'
IMPORT DATABASE '{out}'
ATTACH '{own}/other.duckdb'
ATTACH '{data}/catalog.duckdb' AS c (READ_ONLY)
ATTACH ':memory:' AS other
ATTACH '{data}/_state/store.sqlite' (TYPE sqlite)
DETACH memory
USE memory
INSTALL httpfs
LOAD httpfs
LOAD '{own}/evil.duckdb_extension'
FORCE INSTALL spatial FROM 'http://127.0.0.1:1'
UPDATE EXTENSIONS
CREATE VIEW mine AS SELECT 1
CREATE OR REPLACE VIEW users AS FROM read_parquet('{file}')
CREATE OR REPLACE TEMP VIEW users AS SELECT 1
CREATE TABLE mine AS FROM users
CREATE TEMP TABLE mine AS FROM read_parquet('{file}')
CREATE MACRO upper(x) AS (SELECT max(name) FROM read_parquet('{file}'))
CREATE MACRO rows() AS TABLE FROM read_parquet('{file}')
CREATE TYPE mood AS ENUM ('a')
CREATE SCHEMA s
CREATE SEQUENCE s
CREATE INDEX i ON users (user_id)
CREATE SECRET s (TYPE s3)
DROP VIEW users
DROP VIEW IF EXISTS audit_log CASCADE
ALTER VIEW users RENAME TO others
COMMENT ON VIEW users IS 'x'
INSERT INTO users VALUES (1)
UPDATE users SET email = 'x'
DELETE FROM users
TRUNCATE users
MERGE INTO users USING audiences ON true WHEN MATCHED THEN DELETE
CHECKPOINT
FORCE CHECKPOINT
VACUUM
ANALYZE users
BEGIN
BEGIN TRANSACTION
COMMIT
ROLLBACK
ABORT
SELECT nextval('s')
SELECT setval('s', 1)
SELECT setseed(0.5)
SELECT write_log('x')
SELECT * FROM force_checkpoint()
SELECT * FROM enable_logging()
SELECT * FROM enable_profiling()
"""
_SETTINGS = """
SET enable_external_access = true
SET lock_configuration = false
SET allowed_directories = ['/']
SET memory_limit = '100GB'
SET threads = 64
SET temp_directory = '{out}'
SET python_enable_replacements = true
SET VARIABLE data_dir = '/'
SET VARIABLE tenant = '*'
SET SESSION TimeZone = 'UTC'
SET GLOBAL enable_external_access = true
SET search_path = 'pg_catalog'
SET schema = 'information_schema'
SET custom_extension_repository = '{out}'
RESET enable_external_access
RESET VARIABLE tenant
PRAGMA database_list
PRAGMA table_info('users')
PRAGMA show_tables
PRAGMA version
PRAGMA enable_profiling
PRAGMA storage_info('users')
PRAGMA add_parquet_key('k', '0123456789112345')
CALL duckdb_settings()
CALL pragma_version()
CALL enable_logging()
SELECT current_setting('allowed_directories')
SELECT getvariable('data_dir')
SELECT getvariable('tenant')
SELECT getenv('HOME')
SELECT pg_sleep(100)
SELECT sleep_ms(100000)
"""
_SYSTEM = """
SHOW TABLES
SHOW ALL TABLES
SHOW DATABASES
SHOW users
SUMMARIZE users
DESCRIBE
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_views()
SELECT * FROM duckdb_views
SELECT sql FROM duckdb_views() WHERE NOT internal
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_columns()
SELECT * FROM duckdb_databases()
SELECT * FROM duckdb_variables()
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_functions()
SELECT * FROM duckdb_logs()
SELECT * FROM duckdb_memory()
SELECT * FROM duckdb_external_file_cache()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM duckdb_prepared_statements()
SELECT * FROM pragma_database_list
SELECT * FROM pragma_database_list()
SELECT * FROM pragma_show('users')
SELECT * FROM pragma_table_info('users')
SELECT * FROM information_schema.tables
SELECT * FROM information_schema.columns
SELECT * FROM information_schema.schemata
SELECT * FROM pg_catalog.pg_class
SELECT * FROM pg_tables
SELECT * FROM pg_catalog.pg_views
SELECT * FROM sqlite_master
SELECT * FROM sqlite_schema
SELECT * FROM system.information_schema.tables
SELECT * FROM memory.main.users
SELECT * FROM main.users
SELECT * FROM temp.users
SELECT system.main.getvariable('data_dir')
SELECT main.upper('x')
SELECT pg_get_viewdef(1)
SELECT current_query()
SELECT current_database(), current_schemas(true)
SELECT version()
SELECT stats(user_id) FROM users
SELECT * FROM test_all_types()
"""
_DETOURS = """
SELECT * FROM query('FROM read_parquet(''{file}'')')
SELECT * FROM query_table('duckdb_views')
SELECT * FROM query_table(['{file}'])
SELECT * FROM json_execute_serialized_sql('{{}}')
SELECT json_serialize_sql('SELECT 1')
SELECT json_deserialize_sql('{{}}')
PREPARE p AS FROM users
EXECUTE p
DEALLOCATE p
EXPLAIN ANALYZE FROM users
EXPLAIN ANALYZE COPY users TO '{out}/x'
EXPLAIN (ANALYZE) FROM users
EXPLAIN COPY users TO '{out}/x'
EXPLAIN PRAGMA version
SELECT 1; SELECT 2
SELECT 1; COPY users TO '{out}/x'
SELECT 1 /* ; */; DROP VIEW users -- FROM users
/* SELECT 1 */ ATTACH ':memory:' AS x
WITH duckdb_views AS (FROM duckdb_views) FROM duckdb_views
WITH "{file}" AS (SELECT 1) FROM "{file}"
SELECT * FROM (WITH "{file}" AS (SELECT 1) FROM "{file}"), "{file}"
SELECT * FROM (WITH pg_tables AS (SELECT 1) FROM pg_tables), pg_tables
WITH RECURSIVE sqlite_master AS (FROM sqlite_master UNION ALL FROM sqlite_master) FROM sqlite_master
SELECT * FROM a_python_variable
SELECT * FROM SECRET
SELECT * FROM (PIVOT users ON email USING count(*))
PIVOT users ON email USING count(*)
SELECT * FROM users AT (VERSION => 1)
SELECT $1
SELECT ?
SELECT $user
FROM duckdb_views SELECT *
TABLE duckdb_views
SELECT * FROM recent_distributions('ben/../x=y%', TIMESTAMP '2025-01-01')
SELECT * FROM user_audiences('ben/../x=y%')
SELECT repeat('x', 1000000000)
SELECT lpad('x', 1000000000, 'x')
SELECT printf('%1000000000d', 1)
SELECT format('{{:1000000000}}', 1)
SELECT bar(1, 0, 1, 1000000000)
"""
_COLUMNS = """
SELECT credentials FROM platforms
SELECT platforms.credentials FROM platforms
SELECT filename FROM audiences
SELECT file_row_number FROM audiences
SELECT rowid FROM users
SELECT file_index FROM users
SELECT * EXCLUDE nothing FROM users
SELECT nothing FROM users
SELECT CAST(email AS INTEGER) FROM (SELECT 'x' AS email FROM audiences)
SELECT error('x') FROM audiences
SELECT upper() FROM users
SELECT unknown_function(1)
SELEKT 1
"""

ATTACKS = [
    line for part in (_FILES, _WRITES, _SETTINGS, _SYSTEM, _DETOURS, _COLUMNS) for line in part.strip().split("\n")
]

PROBES = """
SELECT * FROM audiences WHERE user_id = 'ben/../x=y%' OR true
SELECT * FROM users
SELECT * FROM platforms
SELECT * FROM distributions
SELECT * FROM distributions_archive
SELECT * FROM distributions_all
SELECT * FROM distribution_events
SELECT * FROM delivery_log
SELECT * FROM audit_log
SELECT * FROM archive_manifest
SELECT * FROM audience_segments
SELECT * FROM audience_variables
SELECT * FROM distribution_results
SELECT * FROM distribution_metadata
SELECT * FROM platform_settings
SELECT * FROM user_quotas
SELECT a.*, d.* FROM audiences AS a FULL JOIN distributions_all AS d ON true
SELECT COLUMNS('.*') FROM platforms
SELECT p FROM platforms AS p
SELECT to_json(p) FROM platforms AS p
SELECT list(a) FROM audiences AS a
WITH users AS (SELECT 1 AS x) FROM users
WITH duckdb_settings AS (SELECT 1) FROM duckdb_settings
WITH t AS (FROM audiences) SELECT t.user_id FROM t UNION ALL FROM (WITH t AS (SELECT 'x') FROM t)
SELECT hash(user_id), md5(user_id) FROM audiences
DESCRIBE platforms
DESCRIBE SELECT * FROM distributions_all
EXPLAIN SELECT * FROM delivery_log
EXPLAIN FROM distributions_all WHERE user_id = 'x'
SELECT * FROM audiences TABLESAMPLE 50%
SELECT max(user_id), min(user_id), count(DISTINCT user_id) FROM distributions_all
""".strip().split("\n")
"""Statements that are run, and show the tenant's own rows at most."""
