//! I/O: the API server and the resolvers. What is done here is decided elsewhere.
//!
//! | room | what it does |
//! |---|---|
//! | [`follow`] | watches, one a kind |
//! | [`store`] | heads, revisions and slices: read, written, deleted |
//! | [`people`] | statuses and metadata of what people wrote |
//! | [`confirm`] | questions to the resolvers |
//! | [`secrets`] | those with keys of TSIG |
//! | [`endpoints`] | which resolvers there are |
//! | [`pages`] | what pods tell over HTTP |
//! | `events` | what a person should notice |

pub mod confirm;
pub mod endpoints;
pub(crate) mod events;
pub mod follow;
pub mod pages;
pub mod people;
pub mod secrets;
pub mod store;
