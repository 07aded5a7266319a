//! Zones move from a legacy server to Port53 while clients ask and both sides change, and a table is printed as it goes:
//! `make migrate-demo`. Ends with 1 when an answer was lost or wrong.

use clap::{Parser, ValueEnum};
use port53_tests::demo::{self, Settings, Told, table};
use port53_tests::machine;
use port53_tests::peer::Program;
use port53_tests::platform::{Programs, beside};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Parser)]
struct Arguments {
    /// What is moved from
    #[arg(long, value_enum, default_value_t = From::Bind)]
    legacy: From,
    /// A directory of master files: NAME.zone, NAME.zone.gz
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/moving"))]
    zones: PathBuf,
    /// Questions a second
    #[arg(long, default_value_t = 200)]
    questions: u32,
    /// Changes a second, on each side
    #[arg(long, default_value_t = 2.0)]
    changes: f64,
    /// Questions that a step sees at least
    #[arg(long, default_value_t = 600)]
    least: u64,
    /// The commit, for the head of the table
    #[arg(long, default_value = "unknown")]
    commit: String,
}

/// Servers that take updates. Not NSD: what changes here could not be written there.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum From {
    Bind,
    Knot,
    Pdns,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Arguments) -> Result<bool, Box<dyn Error>> {
    let settings = Settings {
        legacy: match arguments.legacy {
            From::Bind => Program::Bind,
            From::Knot => Program::Knot,
            From::Pdns => Program::PowerDns,
        },
        programs: Programs::beside()?,
        port53: beside("port53-tested")?,
        zones: arguments.zones,
        questions: arguments.questions,
        changes: arguments.changes,
        least: arguments.least,
    };
    println!("{}", machine::describe(&arguments.commit));
    let mut has_head = false;
    let outcome = demo::run(settings, &mut |told| match told {
        Told::Note(note) => println!("{note}"),
        Told::Begins(step) => eprintln!("… {step}"),
        Told::Row(row) => {
            if !std::mem::replace(&mut has_head, true) {
                println!("\n{}", table::HEAD);
            }
            println!("{row}");
        }
    });
    let sum = |of: fn(&table::Row) -> u64| outcome.rows.iter().map(of).sum::<u64>();
    println!("\n{} sent, {} lost, {} wrong", sum(|row| row.sent), sum(|row| row.lost), sum(|row| row.wrong));
    outcome.told.iter().for_each(|what| println!("{what}"));
    Ok(outcome.is_right())
}
