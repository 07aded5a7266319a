//! I/O: the API server and the resolvers.

pub mod confirm;
