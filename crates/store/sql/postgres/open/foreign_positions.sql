-- In a database that came from another server, as a restored dump does, events have the positions of that server's
-- transactions. Those that this one has not reached go behind all that comes; whoever stood there is told to begin anew.
WITH moved AS (
    UPDATE events SET position = 0
    WHERE position >= (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint)
)
UPDATE meta SET value = (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1)::text
WHERE name = 'events_purged' AND value::bigint >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
