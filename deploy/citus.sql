-- Spreads Postrider's tables over a Citus cluster: all that is a reseller's by the reseller, and together. Run it once on the
-- coordinator, after `postrider migrate` and before the first message:
--
--     psql -v ON_ERROR_STOP=1 --single-transaction -f deploy/citus.sql "$POSTRIDER_STORAGE__URL"
--
-- What it changes for whoever runs Postrider: docs/postgresql.md.

-- The triggers on messages and audit events look at the row that changes and at nothing else, so they are safe on every node.
SET citus.enable_unsafe_triggers = on;

-- Of no one reseller, and small: whole on every node.
SELECT create_reference_table('meta');
SELECT create_reference_table('access_keys');

SELECT create_distributed_table('resellers', 'reseller');
SELECT create_distributed_table('settings', 'reseller', colocate_with => 'resellers');
SELECT create_distributed_table('sealed_credentials', 'reseller', colocate_with => 'resellers');
SELECT create_distributed_table('credential_changes', 'reseller', colocate_with => 'resellers');
SELECT create_distributed_table('messages', 'reseller', colocate_with => 'resellers');
SELECT create_distributed_table('contents', 'reseller', colocate_with => 'resellers');
SELECT create_distributed_table('request_keys', 'reseller', colocate_with => 'resellers');
SELECT create_distributed_table('attempts', 'reseller', colocate_with => 'resellers');
SELECT create_distributed_table('events', 'reseller', colocate_with => 'resellers');
SELECT create_distributed_table('audit_events', 'reseller', colocate_with => 'resellers');
SELECT create_distributed_table('audit_chains', 'reseller', colocate_with => 'resellers');
SELECT create_distributed_table('recipient_hours', 'reseller', colocate_with => 'resellers');
