-- Changes of credentials that began: settings and credential lie in two places that no transaction spans. A row is
-- written before the credential is put, and stays until what the settings do not name is destroyed.
CREATE TABLE credential_changes (
    reseller TEXT NOT NULL,
    -- The put's id, which is part of the version's name; empty: a deletion.
    change_id TEXT NOT NULL,
    change_time INTEGER NOT NULL,
    PRIMARY KEY (reseller, change_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX credential_changes_due ON credential_changes (change_time);
