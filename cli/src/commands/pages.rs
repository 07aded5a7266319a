//! `port53 completions` and `port53 man`: what is made of the command line itself.

use std::io;
use std::path::Path;

use clap::CommandFactory;

use super::{Ended, Outcome, create_directory};
use crate::args::Arguments;

pub(super) fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "port53", &mut text);
    io::Write::write_all(&mut io::stdout().lock(), &text)?;
    Ok(Ended::Well)
}

pub(super) fn man(directory: &Path) -> Outcome {
    create_directory(directory)?;
    clap_mangen::generate_to(Arguments::command(), directory)
        .map_err(|error| format!("cannot write the manual pages to {}: {error}", directory.display()))?;
    Ok(Ended::Well)
}
