//! The operator of Port53. Today: its pure stages, which `port53 dev` and `port53 check` run over a
//! directory and the controllers will run over an API server.
//!
//! ```text
//! Objects, published zones ──gather──▶ who holds which domain, which records belong where
//!                          ──validate─▶ what is accepted, and a verdict for every object
//!                          ──build────▶ content, changes, SOA with the next serial
//! ```
//!
//! The stages have no client, no clock and no other I/O: the time is an input, and the outcome is a function
//! of the inputs, whatever their order.

pub mod objects;
pub mod stages;
pub mod verdict;
