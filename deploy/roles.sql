-- Least privileges on Postgres: gateways and workers each get a role that can do what they do and nothing else. No table can be
-- made, changed or dropped by either; a worker can neither delete nor give away anybody's file.
--
-- Run it as the owner of the database, after each `reelgate migrate` (which goes on running as that owner):
--   psql "$OWNER_URL" --set ON_ERROR_STOP=1 --file deploy/roles.sql
-- and once give each program a user of its own:
--   CREATE USER gateway PASSWORD '...' IN ROLE reelgate_gateway;
--   CREATE USER worker PASSWORD '...' IN ROLE reelgate_worker;

DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'reelgate_gateway') THEN
        CREATE ROLE reelgate_gateway NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'reelgate_worker') THEN
        CREATE ROLE reelgate_worker NOLOGIN;
    END IF;
END $$;

-- Before Postgres 15 everybody could make tables.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO reelgate_gateway, reelgate_worker;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM reelgate_gateway, reelgate_worker;

-- Both read all rows: isolation between organisations is made by the queries, not by the database.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reelgate_gateway, reelgate_worker;

-- But nothing of webhooks: a worker has no use for signing secrets, nor for the addresses of receivers.
REVOKE SELECT ON webhooks, deliveries FROM reelgate_worker;

-- Gateways also maintain: they purge what was deleted, and elect who does.
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO reelgate_gateway;
REVOKE INSERT, UPDATE, DELETE ON deployment, seaql_migrations FROM reelgate_gateway;

-- Workers write results. Of a file not its owner, organisation, name, tags, size, digest, generation, end nor deletion.
GRANT UPDATE (kind, content_type, media, grid, source_key, state, failure_code, failure_message, failure_retryable,
              updated_at, ready_at) ON files TO reelgate_worker;
GRANT UPDATE ON jobs, stills TO reelgate_worker;
GRANT INSERT, UPDATE ON attempts TO reelgate_worker;
GRANT INSERT ON renditions TO reelgate_worker;
-- What a file was watched for has been made: whether there is more is looked at again.
GRANT UPDATE (fresh) ON views TO reelgate_worker;
-- What they do is told in the transaction that does it. What has been told they cannot take back.
GRANT INSERT ON events TO reelgate_worker;
GRANT INSERT, UPDATE ON event_counters TO reelgate_worker;

-- What a later migration brings is the gateways' at once, so that old and new ones can run side by side.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO reelgate_gateway;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reelgate_worker;
