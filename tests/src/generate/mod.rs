//! Zones that nobody thought of, and questions about them: made by chance, and aimed at the corners where
//! wildcards, cuts, aliases, empty non-terminals and the limits of names meet.
//!
//! A seed says all of it, so what was found comes again. The numbers can also be taken from octets that a
//! fuzzer changes; then each of its inputs is a zone and a question. This room knows the standard library
//! alone, for `fuzz/` is built with it.
//!
//! | file | what it does |
//! |---|---|
//! | `random` | numbers from a seed |
//! | `chance` | the same, or numbers from octets |
//! | `label` | labels that mean something somewhere |
//! | `zone` | a zone: owners and what stands at them |
//! | `write` | the zone as a master file |
//! | `known` | what questions need to know of a zone, a real one or one that was made |
//! | `question` | what is asked of it, and how |

mod chance;
mod known;
mod label;
mod question;
mod random;
mod write;
mod zone;

pub use chance::Chance;
pub use known::Known;
pub use question::{Asked, questions};
pub use random::Random;
pub use zone::{Corner, Made, Set, zones};
