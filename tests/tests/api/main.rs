//! Against a real API server.
//!
//! | file | what it shows |
//! |---|---|
//! | `fixtures` | the API server refuses what `port53 check` refuses, in the same words |
//! | `control_plane` | the cluster of these tests itself: stopped, started, gone back in time; users and rights |
//! | `resolver` | resolvers follow heads and slices, whatever becomes of these and of the API server |
//! | `forwarding` | heads that say who answers while a zone moves here |
//! | `follower` | a follower, when the API server's past is not what was seen |
//! | `store` | what the operator writes, where it cannot |
//! | `published` | a zone as an operator would publish it |

mod control_plane;
mod fixtures;
mod follower;
mod forwarding;
mod published;
#[path = "../../../cli/tests/fixtures/mod.rs"]
mod reader;
mod resolver;
mod store;
