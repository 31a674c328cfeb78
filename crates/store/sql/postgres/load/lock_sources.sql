-- Until the transaction's end, nobody else looks whose a federated source is: two who give one at once find each other.
-- Taken after the resellers' rows, and one for all, so that nobody waits for another who waits for them.
SELECT pg_advisory_xact_lock(7305808869227323508)
