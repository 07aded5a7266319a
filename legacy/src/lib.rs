//! Talking to the DNS that an organisation has: what it serves is transferred, what changes here is written there,
//! and both are asked.
//!
//! ```text
//!            ┌─ transfer, transfer_since ──▶ Reader ──▶ Gather ──▶ Content, a version of the zone
//! Server ────┼─ update ──▶ UPDATE, prerequisites ──▶ done, a final no, or unknown
//!            └─ soa, rrset, holds, ask ──▶ what it says of a name
//! ```
//!
//! | room | what it does |
//! |---|---|
//! | [`Server`] | the one who is asked: its addresses, the key, how long is waited; all of the I/O is below it |
//! | [`Reader`] | the messages of a transfer, AXFR (RFC 5936) or IXFR (RFC 1995), to a version. Pure |
//! | `gather` | records in any order to whole RRsets, a bounded number at a time, into a content |
//! | [`Update`] | a change of one name (RFC 2136) |
//! | [`Trouble`] | what went wrong, and whether to ask again |
//!
//! Nothing that comes is trusted. A transfer is a whole version of the zone or an error: a server that lies, stops in
//! the middle or goes back in time changes nothing here. A record that cannot be served is left out alone, and noted.
//!
//! What is not as the RFCs have it, as the tests saw it of the versions in Debian 12 (`tests/tests/legacy`):
//!
//! | server | |
//! |---|---|
//! | Knot 3.2 | transfers come without AA; a key that it knows and that may not is BADKEY |
//! | PowerDNS 4.7 | TTLs differ within a set; a signature that it does not take is refused unsigned, by NOTAUTH for a transfer and REFUSED for an update; an update with a type that it does not know is FORMERR; IXFR gives the whole zone |
//! | NSD 4.6 | IXFR gives the whole zone; an update is NOTIMP |

mod ask;
mod connection;
mod gather;
mod message;
mod server;
mod transfer;
mod trouble;
mod update;

pub use ask::Over;
pub use gather::{MOST_NOTES, Note, Notes};
pub use server::{Limits, Server};
pub use transfer::{Progress, Reader, Transferred, Version};
pub use trouble::{Attempt, Outcome, Step, Trouble, Wrong};
pub use update::{Prerequisite, Update};
