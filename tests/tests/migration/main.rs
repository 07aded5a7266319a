//! Zones that move here from real servers: BIND, Knot, PowerDNS and NSD beside a real API server, the operator and two
//! resolvers.
//!
//! | file | what it shows |
//! |---|---|
//! | `rig` | a zone at a legacy server, and its migration |
//! | `backfill` | what legacy has comes here, but for what is refused |
//! | `writes` | what changes on one side is written to the other; conflicts, refusals, outages |
//! | `sync` | a change is at both or at neither, whoever refuses it and wherever the operator ends |
//! | `cutover` | who answers, before and after, and back |
//! | `entry` | NS at the apex, the zone above, and the end |
//! | `shadow` | what questions of clients show, and what follows of it |
//! | `cli` | `port53 migration` |
//! | `bind`, `powerdns` | `docs/migrate-from-bind.md` and `…-powerdns.md`, word by word |
//! | `document` | the blocks and commands of a document; every spec of `docs/migration.md` is taken |
//! | `lies` | what legacy says and nobody should believe |

mod backfill;
mod bind;
mod cli;
mod cutover;
mod document;
mod entry;
mod lies;
mod powerdns;
mod rig;
mod shadow;
mod sync;
mod writes;

use port53_tests::platform::{Platform, Programs, Settings};
use std::sync::OnceLock;

/// The platform of all tests that disturb nobody. Each has namespaces and domains of its own.
fn shared() -> &'static Platform {
    static SHARED: OnceLock<Platform> = OnceLock::new();
    SHARED.get_or_init(|| Platform::start(programs(), settings()))
}

fn settings() -> Settings {
    Settings { operator: vec!["--migrations".to_owned()], ..Settings::default() }
}

/// The programs, built with the tests.
fn programs() -> Programs {
    Programs {
        operator: env!("CARGO_BIN_EXE_port53-operator-tested").into(),
        resolver: env!("CARGO_BIN_EXE_port53-resolver-tested").into(),
    }
}
