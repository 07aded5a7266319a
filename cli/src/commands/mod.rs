//! The commands, a file for each. Each returns how the program ends.

mod apply;
mod check;
mod complete;
mod definitions;
mod dev;
mod diff;
mod export;
mod finish;
mod held;
mod history;
mod import;
mod migration;
mod pages;
mod rollback;
mod rollout;
mod status;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use port53_client::chain;

use crate::admission::Admission;
use crate::args::{Arguments, Command, DEFAULT_NAMESPACE};
use crate::directory::{Directory, Writers};

pub use complete::complete;

/// How a command ends that could do what it was asked to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Status 0.
    Well,
    /// Status 1: something is wrong in what was looked at, or two things differ.
    WithProblems,
}

/// Status of a command that could not do what it was asked to.
const COULD_NOT_RUN: u8 = 2;

/// Runs what the arguments say. Errors are printed once, with what caused them.
pub fn run(arguments: Arguments) -> ExitCode {
    let color = arguments.color;
    let result = match arguments.command {
        Command::Dev(arguments) => dev::run(arguments, color),
        Command::Check(arguments) => check::run(arguments, color),
        Command::Import(arguments) => import::run(arguments, color),
        Command::Export(arguments) => export::run(arguments, color),
        Command::Diff(arguments) => diff::run(arguments, color),
        Command::Apply(arguments) => apply::run(arguments, color),
        Command::Status(arguments) => status::run(arguments, color),
        Command::History(arguments) => history::run(arguments, color),
        Command::Rollback(arguments) => rollback::run(arguments),
        Command::Held(arguments) => held::run(arguments, color),
        Command::Rollout(arguments) => rollout::run(&arguments, color),
        Command::Migration(arguments) => migration::run(&arguments, color),
        Command::Definitions(arguments) => definitions::run(&arguments),
        Command::Completions { shell } => pages::completions(shell),
        Command::Man { output_dir } => pages::man(&output_dir),
    };
    match result {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::WithProblems) => ExitCode::FAILURE,
        // Whoever reads our output has read enough.
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(error.as_ref()));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

type Outcome = Result<Ended, Box<dyn Error>>;

/// The directory at `paths`, read once.
fn read(paths: &[PathBuf], namespace: &str) -> Result<Directory, Box<dyn Error>> {
    let admission = Arc::new(Admission::new()?);
    let mut directory = Directory::open(paths, namespace, Duration::ZERO, admission)?;
    directory.refresh(Writers::None);
    Ok(directory)
}

/// Makes the directory that a person named for what is written.
fn create_directory(path: &Path) -> Result<(), String> {
    std::fs::create_dir_all(path).map_err(|error| {
        format!("cannot create the directory {}: {error}: name one that can be written", path.display())
    })
}

/// Where nobody but the person at the keyboard chooses names, cuts need no secret.
pub(crate) const NO_SALT: [u8; 16] = [0; 16];

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
