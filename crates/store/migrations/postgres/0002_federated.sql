-- A federated source is one identity, and whose it is must be found without reading all settings.
CREATE INDEX settings_federated ON settings (credential_fingerprint) WHERE credential_kind = 'federated';
