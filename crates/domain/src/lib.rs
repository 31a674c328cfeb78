//! The nouns of Postrider: parsed, never validated twice, and without I/O.
