//! `port53`, which is also `kubectl port53`.

use std::process::ExitCode;

fn main() -> ExitCode {
    port53_cli::run()
}
