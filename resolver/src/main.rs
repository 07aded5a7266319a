//! `port53-resolver`.

use clap::Parser;
use port53_resolver::config::Arguments;
use port53_resolver::program;
use std::process::ExitCode;

fn main() -> ExitCode {
    program::run(Arguments::parse())
}
