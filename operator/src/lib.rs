//! The operator of Port53: its pure stages, which `port53 dev` and `port53 check` run over a directory, and the parts
//! that bring them to an API server.
//!
//! ```text
//! Objects, published zones ──gather──▶ who holds which domain, which records belong where
//!                          ──validate─▶ what is accepted, and a verdict for every object
//!                          ──build────▶ content, changes, SOA with the next serial
//! ```
//!
//! The stages have no client, no clock and no other I/O: the time is an input, and the outcome is a function
//! of the inputs, whatever their order.
//!
//! | room | what it does |
//! |---|---|
//! | [`objects`] | what people write, typed, with who wrote it |
//! | [`stages`] | gather, validate, build; the planner that remembers what did not change |
//! | [`verdict`] | what came of an object |
//! | [`guard`] | how much may go from a zone at once |
//! | [`report`] | verdicts and answers as statuses |
//! | [`cluster`] | I/O: watches of the API server, questions to the resolvers |
//!
//! The engine that drives them, and publishes heads, revisions and slices, is not here yet.

pub mod cluster;
pub mod guard;
pub mod objects;
pub mod report;
pub mod stages;
pub mod verdict;
