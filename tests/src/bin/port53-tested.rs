//! `port53` as the tests start it: the same program, built with the tests, so that it is never an older one.

use std::process::ExitCode;

fn main() -> ExitCode {
    port53_cli::run()
}
