//! Every task of the project that is not cargo's own.
fn main() {}
