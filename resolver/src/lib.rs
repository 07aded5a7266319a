//! The resolver: what answers in the nameserver pods. Authoritative only; it never recurses.
//!
//! ```text
//! source ──▶ Publisher ──one atomic swap──▶ Zones ◀──load── UDP threads, connections ◀── clients
//!               │                                                    │
//!               ├─▶ disk cache (after the swap, off the path)        └─▶ counters of their own
//!               └─▶ health, metrics ◀──────── summed at a scrape ──────────────┘
//! ```
//!
//! What is served is one immutable value behind one pointer. A query loads the pointer, is answered by
//! [`port53_zone::answer::respond`] and never waits for anyone. Everything else happens beside it.
//!
//! | room | what it does |
//! |---|---|
//! | [`source`] | the handle by which a source gives zones and changes; what is known of each zone |
//! | [`kubernetes`] | the source in a cluster: heads and slices of one namespace |
//! | [`serve`] | sockets, the UDP loop, connections over TCP, TLS, QUIC and HTTPS, the graceful stop |
//! | [`limits`] | what is answered to whom: settings that may change, one gate a UDP thread |
//! | [`transfer`] | zone transfers out, NOTIFY, TSIG |
//! | [`forward`] | zones that move here: answers of a legacy DNS, and what ours would be |
//! | [`disk`] | the cache of what is served, written behind and read at start |
//! | [`traffic`] | counters, one set a thread |
//! | [`health`] | when this process is ready, and the query it asks itself |
//! | [`metrics`] | the counters and states in the form that Prometheus reads |
//! | [`http`] | `/livez`, `/readyz`, `/metrics` |
//! | [`program`] | what the binary does, from its settings to its end |
//! | [`config`] | flags, environment and file of the binary, checked at once |
//! | [`reload`] | reading them again while queries are answered |

pub mod config;
pub mod disk;
pub mod forward;
pub mod health;
pub mod http;
pub mod kubernetes;
pub mod limits;
pub mod metrics;
pub mod program;
pub mod reload;
pub mod serve;
pub mod source;
pub mod traffic;
pub mod transfer;
