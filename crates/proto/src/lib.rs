//! Generated types of the API and its descriptor set.
