//! Against a real API server.
//!
//! | file | what it shows |
//! |---|---|
//! | `fixtures` | the API server refuses what `port53 check` refuses, in the same words |
//! | `control_plane` | the cluster of these tests itself: stopped, started, gone back in time; users and rights |

mod control_plane;
mod fixtures;
#[path = "../../../cli/tests/fixtures/mod.rs"]
mod reader;
