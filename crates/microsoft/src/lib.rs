//! The only crate that knows Entra and Graph.
