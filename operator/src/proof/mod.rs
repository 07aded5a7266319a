//! Proof: whether a nameserver answers what is published, found by asking it.
//!
//! ```text
//! published zones ──sample──▶ questions ──ask──▶ replies, over each transport
//!         └────────oracle──▶ what each must be answered ──judge──▶ Mismatch: question, expected, answered
//! ```
//!
//! The oracle is written straight from RFC 1034 §4.3.2, RFC 4592 and RFC 6672 over the content of the zones, and shares
//! nothing with the lookup and the answers of a resolver: it is slow, plain, and there to disagree with it.
//!
//! | room | what it does |
//! |---|---|
//! | [`oracle`] | what must be answered. Pure |
//! | [`sample`] | which questions are asked. Pure but for chance |
//! | [`judge`] | whether a reply is what it must be. Pure |
//! | [`ask`], `encrypted` | asks many questions over one transport |
//! | [`prove`] | asks a pod a sample and judges what it says |

pub mod ask;
mod encrypted;
pub mod judge;
pub mod oracle;
pub mod prove;
pub mod sample;

use std::fmt;

use port53_zone::{Name, Rtype, name, rdata};

/// A question of class IN.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Question {
    /// The name.
    pub name: Name,
    /// The type.
    pub rtype: Rtype,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", name::display(&self.name), rdata::display_rtype(self.rtype))
    }
}
