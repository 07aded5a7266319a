//! What the fuzz targets do with an input, and what they ask of the result. The targets themselves are a
//! line each; the tests run the inputs that were found through the same functions.
//!
//! | module | input is | what must hold |
//! |---|---|---|
//! | [`answering`] | a generated zone and generated packets, or raw ones | every answer is a message, whole sets, within its limit |
//! | [`master`] | a master file | it ends; what is read is written and read the same |
//! | [`slices`] | slices of a content, changed | it is refused, or the same as it says it is |

pub mod answering;
#[path = "../../tests/src/generate/mod.rs"]
pub mod generate;
pub mod master;
mod packet;
pub mod slices;
