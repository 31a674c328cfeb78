//! Where the secret part of settings lives, and nowhere else.
