WITH given (
    reseller, message_id, state, due_time, expire_time, update_time, end_time, purge_time, has_content,
    attempts, backoffs, in_doubt, last_event, finding_code, finding_class, finding_evidence
) AS (VALUES /*each*/(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
)/*each*/)
UPDATE messages AS m SET
    state = given.state, due_time = given.due_time, expire_time = given.expire_time, update_time =
    given.update_time, end_time = given.end_time, purge_time = given.purge_time, has_content =
    given.has_content, attempts = given.attempts, backoffs = given.backoffs, in_doubt = given.in_doubt,
    last_event = given.last_event,
    finding_code = given.finding_code, finding_class = given.finding_class, finding_evidence =
    given.finding_evidence
FROM given
WHERE m.reseller = given.reseller AND m.message_id = given.message_id
