//! `port53-operator` as the tests start it: the same program, built with the tests, so that it is never an older one.

use clap::Parser;
use port53_operator::config::Arguments;
use port53_operator::program;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: program::Allocator = program::Allocator;

fn main() -> ExitCode {
    program::run(Arguments::parse())
}
