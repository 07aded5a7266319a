//! Real zones in, right answers out: every zone of a directory is imported by `port53 import --apply` into a cluster
//! with the operator and two resolvers at work, every record comes to be served or refused, and every resolver is
//! asked for every RRset over UDP and TCP. What it says is compared with the input as an independent reader sees it.
//! With `--dev` each zone is served by `port53 dev` instead, as it is and again after `port53 import`.
//!
//! What may be missing is known beforehand from the input alone: names with CNAME and other data, and, as
//! manifests, what only signing makes. Of zones that are known by name these names are known, too. Whatever else is
//! not answered as it stands in the file is a failure, and so is whatever is told to be rejected and answered all the
//! same, or the other way round.
//!
//! | file | what it does |
//! |---|---|
//! | `input` | a zone as an independent reader sees it |
//! | `expect` | what must be answered |
//! | `ask` | every question, and what came of them |
//! | `cluster` | zones through the API server |
//! | `dev` | zones through `port53 dev` |
//! | `objects` | what the statuses say |
//! | `table` | what is printed |

mod ask;
mod cluster;
mod dev;
mod expect;
mod input;
mod objects;
mod table;

use clap::Parser;
use port53_tests::read::master_files;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// As long as anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is tried.
#[derive(Debug, Parser)]
struct Arguments {
    /// Serve by port53 dev instead of a cluster
    #[arg(long)]
    dev: bool,
    /// A directory of master files: NAME.zone, NAME.zone.gz
    directory: PathBuf,
}

/// A zone of the directory, unpacked, in a directory of its own under its name.
struct File {
    path: PathBuf,
    origin: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let files: Vec<File> = master_files(&arguments.directory)?
        .into_iter()
        .map(|(origin, octets)| File::write(origin, &octets, scratch.path()))
        .collect::<std::io::Result<_>>()?;
    let outcomes = match arguments.dev {
        true => dev::run(&files)?,
        false => cluster::run(&files)?,
    };
    table::print(&outcomes);
    Ok(outcomes.iter().all(|outcome| outcome.failures.is_empty()))
}

impl File {
    fn write(origin: String, octets: &[u8], scratch: &Path) -> std::io::Result<Self> {
        let directory = scratch.join(&origin).join("master");
        std::fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{origin}.zone"));
        std::fs::write(&path, octets)?;
        Ok(File { path, origin })
    }

    /// A directory for what is made of this zone.
    fn scratch(&self) -> Result<&Path, Box<dyn Error>> {
        Ok(self.path.parent().and_then(Path::parent).ok_or("no directory")?)
    }
}
