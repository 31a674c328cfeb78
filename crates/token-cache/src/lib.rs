//! Access tokens, each with its own expiry, fetched once for all who wait.
