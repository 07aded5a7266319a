//! Against a real API server.
//!
//! | file | what it shows |
//! |---|---|
//! | `control_plane` | the cluster of these tests itself: stopped, started, gone back in time; users and rights |
//! | `resolver` | resolvers follow heads and slices, whatever becomes of these and of the API server |
//! | `published` | a zone as an operator would publish it |

mod control_plane;
mod published;
mod resolver;
