//! A stand-in for Entra and Graph, with an inbox page.
