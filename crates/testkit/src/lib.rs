//! Development only: starts the built binary and speaks to it in the words of the domain.
