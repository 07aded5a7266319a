//! What the fuzz targets do with an input, and what they ask of the result. The targets themselves are a
//! line each; the tests run the inputs that were found through the same functions.
//!
//! | module | input is | what must hold |
//! |---|---|---|
//! | [`answering`] | a generated zone and generated packets, or raw ones | every answer is a message, whole sets, within its limit |
//! | [`master`] | a master file | it ends; what is read is written and read the same |
//! | [`slices`] | slices of a content, changed | it is refused, or the same as it says it is |
//! | [`legacy`] | what a legacy DNS says to a forwarded question | it is judged, and what is taken becomes a response that can be read |
//! | `stream` | a connection over TCP | every whole query is answered, in order, and it ends |
//! | `manifest` | a manifest of the disk cache | it is refused, or written again as it is |
//! | `transfer` | messages of a zone transfer from elsewhere | an error, or a whole zone, the same however it is settled |
//!
//! The last three are of the resolver and of the crate `legacy`, and only built to be fuzzed: their inputs are tests
//! there.

pub mod answering;
#[path = "../../tests/src/generate/mod.rs"]
pub mod generate;
pub mod legacy;
#[cfg(feature = "resolver")]
pub mod manifest;
pub mod master;
mod packet;
pub mod slices;
#[cfg(feature = "resolver")]
pub mod stream;
#[cfg(feature = "legacy")]
pub mod transfer;
