//! The DNS model of Port53.
//!
//! Pure and synchronous: no I/O, no clock, no kube, no tokio. What people write becomes the content of
//! a zone here, and questions become answers:
//!
//! ```text
//! text ──rdata, master──▶ records ──rules──▶ RRsets ──content──▶ versions ──image──▶ lookup ──answer──▶ message
//! ```
//!
//! | room | what it does |
//! |---|---|
//! | [`name`] | names: parsing what people write, canonical sort keys |
//! | [`rdata`] | values of records: presentation form to wire form and back, the names inside a value |
//! | [`rrset`] | records and RRsets, the common currency between rooms |
//! | [`master`] | master files (RFC 1035 §5) to records with absolute names, and the writer |
//! | [`rules`] | the semantic checks, as one table |
//! | [`content`] | the content of a zone as immutable slices; journal, digest, difference |
//! | [`serial`] | serial number arithmetic (RFC 1982) |
//! | [`image`] | what a resolver holds of a zone in memory: content, index, SOA |
//! | [`answer`] | from the octets of a query to the octets of its response |
//! | [`prefix`] | addresses that begin with the same bits |
//! | [`transfer`] | zone transfers: a version, or what changed since another, as messages |

pub mod answer;
mod caseless;
pub mod content;
pub mod image;
pub mod master;
pub mod name;
pub mod prefix;
pub mod rdata;
pub mod rrset;
pub mod rules;
pub mod serial;
pub mod transfer;

pub use domain::base::iana::Rtype;
pub use name::Name;
pub use rdata::Rdata;
pub use rrset::{RRset, Record, Soa};
