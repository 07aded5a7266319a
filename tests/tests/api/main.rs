//! Against a real API server.
//!
//! | file | what it shows |
//! |---|---|
//! | `control_plane` | the cluster of these tests itself: stopped, started, gone back in time; users and rights |

mod control_plane;
