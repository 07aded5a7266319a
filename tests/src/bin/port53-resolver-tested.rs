//! `port53-resolver` as the tests start it: the same program, built with the tests, so that it is never an older one.

use port53_resolver::program;
use std::process::ExitCode;

fn main() -> ExitCode {
    program::run()
}
