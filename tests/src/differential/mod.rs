//! The same zones in Port53 and in the peers, the same questions to all of them, and every difference
//! explained or reported.
//!
//! What is compared is the normal form of an answer ([`crate::normal`]). A difference is explained by an
//! [`exempt::Exemption`]: a narrow predicate over the question and the two answers, with the RFC that allows
//! both. What no exemption explains is a bug, of ours where peers agree with each other.
//!
//! | file | what it does |
//! |---|---|
//! | `real` | zones from master files |
//! | `round` | servers with zones, questions in batches, differences |
//! | `exempt` | the exemptions, all of them |
//! | `facts` | what the exemptions ask of a question and its answers |
//! | `tally` | counts, and what is printed |

pub mod exempt;
mod facts;
mod real;
mod round;
mod tally;

pub use facts::Difference;
pub use real::{Real, real_zones};
pub use round::{Round, Served};
pub use tally::{Finding, Tally};
