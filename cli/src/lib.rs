//! `port53`, which is also `kubectl port53`: zones in directories and in clusters.
//!
//! ```text
//! directory ──yaml, admission, master──▶ Objects ──judge (the operator's stages)──▶ zones, findings
//!                                                        │
//!                                      dev: Publisher ◀──┴──▶ check, export, diff: printed
//! ```
//!
//! | room | what it does |
//! |---|---|
//! | [`args`] | the command line |
//! | [`commands`] | a file for each command |
//! | `cluster` | a cluster: which zone is meant, what is published, writing and waiting |
//! | [`directory`] | a directory in the place of an API server |
//! | [`yaml`] | YAML as `kubectl` reads it, with the line of every field; and its writer |
//! | [`admission`] | what an API server refuses by looking at one object alone: schema, rules, unknown fields |
//! | [`judge`] | from what a directory holds to what is served and what people are told |
//! | [`legacy`] | what other DNS systems keep their zones in |
//! | [`finding`] | what is wrong, with its place |
//! | [`report`] | what is printed |

pub mod admission;
pub mod args;
mod cluster;
pub mod commands;
pub mod directory;
pub mod finding;
pub mod judge;
pub mod legacy;
pub mod report;
pub mod yaml;

use std::process::ExitCode;

/// What this program does, by its arguments and the name that it was called by.
pub fn run() -> ExitCode {
    match args::is_completer() {
        true => commands::complete(std::env::args_os().skip(1)),
        false => commands::run(args::parse()),
    }
}
