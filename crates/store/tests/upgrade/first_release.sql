-- What a Postrider of the first migration left behind: `acme` with a mail in each state, `beta` held, `gone` without
-- settings. Second 0 is 1800000000000000.

INSERT INTO meta VALUES ('kind', 'real'), ('key', 'k1');

INSERT INTO revisions VALUES ('acme', 3), ('beta', 1), ('gone', 7);

INSERT INTO settings VALUES
    ('acme', 3, 'contoso.onmicrosoft.com', '11111111-2222-3333-4444-555555555555', 'sales@acme.example', 'global',
        '["office@acme.example"]', NULL, 7, NULL, '{"plan":"gold"}', 'client_secret', 'abcd', 'v3',
        1800000000000000, NULL, 1, NULL, NULL, NULL, 1800000000000000, 1800000000000000),
    ('beta', 1, 'contoso.onmicrosoft.com', '11111111-2222-3333-4444-555555555555', 'info@beta.example', 'china',
        '[]', NULL, NULL, NULL, '{}', 'client_secret', 'efgh', 'v1',
        1800000000000000, NULL, 0, 'SECRET_WRONG', 'settings', '{"error":"AADSTS7000215"}',
        1800000000000000, 1800000000000000);

INSERT INTO sealed_credentials VALUES ('acme', 'v3', x'0A0B', 1800000000000000);

INSERT INTO lanes VALUES
    ('acme', 'sales@acme.example', 1800000000000000, NULL, NULL, NULL, NULL, NULL, NULL,
        x'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 1800000009000000),
    ('beta', 'info@beta.example', 1800000600000000, NULL, 'SECRET_WRONG', 'settings', '{"error":"AADSTS7000215"}',
        1800000600000000, 2, NULL, NULL);

INSERT INTO messages (
    reseller, message_id, state, is_test, priority, policy, due_time, expire_time, send_time, create_time, update_time,
    end_time, attempts, in_doubt, request_id, internet_message_id, subject, recipient_count, labels, finding_code,
    finding_class, finding_evidence
) VALUES
    ('acme', x'00000000000000000000000000000001', 'accepted', 0, 1, 'at_least_once', 1800000000000000, 1800100000000000,
        NULL, 1800000000000000, 1800000000000000, NULL, 0, 0, 'order-1', '<1@acme.example>', 'Waits', 2,
        '{"team":"blue"}', NULL, NULL, NULL),
    ('acme', x'00000000000000000000000000000002', 'scheduled', 0, 1, 'at_least_once', 1800001000000000, 1800100000000000,
        1800001000000000, 1800000000000000, 1800000000000000, NULL, 0, 0, NULL, '<2@acme.example>', 'Later', 1,
        '{}', NULL, NULL, NULL),
    ('acme', x'00000000000000000000000000000003', 'sending', 0, 1, 'at_most_once', 1800000000000000, 1800100000000000,
        NULL, 1800000000000000, 1800000000000000, NULL, 1, 0, NULL, '<3@acme.example>', 'Flies', 1,
        '{}', NULL, NULL, NULL),
    ('acme', x'00000000000000000000000000000004', 'sent', 0, 1, 'at_least_once', 1800000000000000, 1800100000000000,
        NULL, 1799999900000000, 1799999950000000, 1799999950000000, 1, 0, 'order-4', '<4@acme.example>', 'Sent', 3,
        '{}', NULL, NULL, NULL),
    ('acme', x'00000000000000000000000000000005', 'outcome_unknown', 0, 1, 'at_most_once', 1800000000000000,
        1800100000000000, NULL, 1799999900000000, 1799999960000000, 1799999960000000, 1, 1, NULL, '<5@acme.example>',
        'Unknown', 1, '{}', 'OUTCOME_UNKNOWN', 'in_doubt', '{}'),
    ('acme', x'00000000000000000000000000000006', 'failed', 0, 1, 'at_least_once', 1800000000000000, 1800100000000000,
        NULL, 1799999900000000, 1799999970000000, 1799999970000000, 1, 0, NULL, '<6@acme.example>', 'Failed', 1,
        '{}', 'MESSAGE_TOO_LARGE', 'message', '{}'),
    ('beta', x'00000000000000000000000000000007', 'accepted', 0, 1, 'at_least_once', 1800000000000000, 1800100000000000,
        NULL, 1800000000000000, 1800000000000000, NULL, 0, 0, NULL, '<7@beta.example>', 'Held', 1,
        '{}', NULL, NULL, NULL),
    ('gone', x'00000000000000000000000000000008', 'cancelled', 0, 1, 'at_least_once', 1800000000000000, 1800100000000000,
        NULL, 1799999900000000, 1799999980000000, 1799999980000000, 0, 0, NULL, '<8@gone.example>', 'Gone', 1,
        '{}', NULL, NULL, NULL);

INSERT INTO contents VALUES
    ('acme', x'00000000000000000000000000000001', CAST('body 1' AS BLOB)),
    ('acme', x'00000000000000000000000000000002', CAST('body 2' AS BLOB)),
    ('acme', x'00000000000000000000000000000003', CAST('body 3' AS BLOB)),
    ('acme', x'00000000000000000000000000000005', CAST('body 5' AS BLOB)),
    ('acme', x'00000000000000000000000000000006', CAST('body 6' AS BLOB)),
    ('beta', x'00000000000000000000000000000007', CAST('body 7' AS BLOB));

INSERT INTO request_keys VALUES
    ('acme', 'order-1', x'00000000000000000000000000000001',
        x'0101010101010101010101010101010101010101010101010101010101010101', 1800000000000000),
    ('acme', 'order-4', x'00000000000000000000000000000004',
        x'0101010101010101010101010101010101010101010101010101010101010101', 1799999900000000);

INSERT INTO attempts (
    reseller, message_id, number, mailbox, lease_token, settings_revision, start_time, call_deadline, end_time, outcome,
    finding_code, finding_class, finding_evidence, graph_request_id
) VALUES
    ('acme', x'00000000000000000000000000000003', 1, 'sales@acme.example', x'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 3,
        1800000000000000, 1800000060000000, NULL, NULL, NULL, NULL, NULL, NULL),
    ('acme', x'00000000000000000000000000000004', 1, 'sales@acme.example', NULL, 3,
        1799999940000000, 1800000000000000, 1799999950000000, 'sent', NULL, NULL, NULL, 'graph-4'),
    ('acme', x'00000000000000000000000000000005', 1, 'sales@acme.example', NULL, 3,
        1799999950000000, 1800000010000000, 1799999960000000, 'in_doubt', 'OUTCOME_UNKNOWN', 'in_doubt', '{}', NULL),
    ('acme', x'00000000000000000000000000000006', 1, 'sales@acme.example', NULL, 3,
        1799999960000000, 1800000020000000, 1799999970000000, 'rejected', 'MESSAGE_TOO_LARGE', 'message', '{}', NULL);

INSERT INTO access_keys VALUES
    ('k1', 'shop', x'0202020202020202020202020202020202020202020202020202020202020202', '["send"]', '["acme"]',
        1800000000000000, NULL, NULL, NULL);
