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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_is_completed() {
        let directory = tempfile::TempDir::new().expect("a directory");
        man(directory.path()).expect("they are written");
        let mut text = Vec::new();
        clap_complete::generate(clap_complete::Shell::Bash, &mut Arguments::command(), "port53", &mut text);
        let text = String::from_utf8(text).expect("text");
        let main = std::fs::read_to_string(directory.path().join("port53.1")).expect("a page");
        for flag in ["context", "namespace", "as", "request\\-timeout"] {
            assert!(main.contains(&format!("\\-\\-{flag}")), "{flag}: {main}");
        }
        for command in Arguments::command().get_subcommands() {
            let name = command.get_name();
            let page = std::fs::read_to_string(directory.path().join(format!("port53-{name}.1")));
            assert!(page.is_ok_and(|page| page.contains("SYNOPSIS")), "{name}");
            assert!(text.contains(&format!("port53__subcmd__{name}\"")), "{name}");
        }
        // Before the subcommand, and behind each that looks at a cluster.
        let offered = text.lines().filter(|line| line.contains("--as-group")).count();
        assert!(offered > 8, "{text}");
    }
}
