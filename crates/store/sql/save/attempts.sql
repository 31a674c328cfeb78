WITH given (
    reseller, message_id, number, end_time, outcome, finding_code, finding_class, finding_evidence,
    graph_request_id, late_time, late_outcome, late_graph_request_id
) AS (VALUES /*each*/(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
)/*each*/)
UPDATE attempts AS a SET
    end_time = given.end_time, outcome = given.outcome, finding_code = given.finding_code, finding_class =
    given.finding_class, finding_evidence = given.finding_evidence, graph_request_id = given.graph_request_id,
    late_time = given.late_time, late_outcome = given.late_outcome, late_graph_request_id =
    given.late_graph_request_id
FROM given
WHERE a.reseller = given.reseller AND a.message_id = given.message_id AND a.number = given.number
