//! `port53-resolver`.

use port53_resolver::program;
use std::process::ExitCode;

fn main() -> ExitCode {
    program::run()
}
