//! All that is in the database: outbox, settings, access keys.
