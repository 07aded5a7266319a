//! `make images`: the images of Port53 from programs that are built.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use port53_images::sbom::Resolved;
use port53_images::{Architecture, Error, Image, Part};

/// Who runs the programs: nobody that anything else belongs to.
const USER: &str = "65532:65532";

/// The images: the program, its package, and what it is.
const IMAGES: [(&str, &str, &str); 3] = [
    (
        "port53-operator",
        "port53-operator",
        "The operator of Port53: checks DNS records, publishes zones, rolls out nameservers",
    ),
    (
        "port53-resolver",
        "port53-resolver",
        "The nameserver of Port53: answers for the zones that are published",
    ),
    ("port53", "port53-cli", "The command line of Port53, for jobs in a cluster"),
];

/// Writes the images of Port53 as archives, each for every architecture that it is built for, and what each is made of
#[derive(Debug, Parser)]
#[command(name = "port53-images")]
struct Arguments {
    /// Where cargo builds: TARGET/PROFILE/PROGRAM below it
    #[arg(long, default_value = "target")]
    built: PathBuf,
    /// For which architecture; as often as needed
    #[arg(long, required = true)]
    architecture: Vec<Architecture>,
    /// The profile that they are built with
    #[arg(long, default_value = "image")]
    profile: String,
    /// The Cargo.toml of the workspace
    #[arg(long, default_value = "Cargo.toml")]
    manifest: PathBuf,
    /// What the names of the images begin with
    #[arg(long, default_value = "localhost/port53")]
    registry: String,
    /// Their tag
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    tag: String,
    /// The commit that they are built from
    #[arg(long)]
    revision: Option<String>,
    /// The directory that the archives go into
    #[arg(long, default_value = "target/images")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    std::fs::create_dir_all(&arguments.out)
        .map_err(|source| Error::File { path: arguments.out.clone(), source })?;
    for (program, package, what) in IMAGES {
        let image = image(arguments, program, what)?;
        for part in &image.parts {
            write_bill(arguments, program, package, part.architecture)?;
        }
        let file = arguments.out.join(format!("{program}.tar"));
        let written = image.write(&file)?;
        let architectures: Vec<&str> = image.parts.iter().map(|part| part.architecture.as_str()).collect();
        println!(
            "{} {} for {}: {} MiB in {}",
            image.name,
            written.digest,
            architectures.join(", "),
            written.octets.div_ceil(1 << 20),
            file.display()
        );
    }
    Ok(())
}

/// Writes what a program is made of beside its image.
fn write_bill(
    arguments: &Arguments,
    program: &str,
    package: &str,
    architecture: Architecture,
) -> Result<(), Error> {
    let bill = Resolved::read(&arguments.manifest, architecture)?.bill(program, package, &arguments.tag)?;
    let path = arguments.out.join(format!("{program}.{}.cdx.json", architecture.as_str()));
    std::fs::write(&path, format!("{bill:#}\n")).map_err(|source| Error::File { path, source })
}

fn image(arguments: &Arguments, program: &str, what: &str) -> Result<Image, Error> {
    let path = format!("/{program}");
    let built = |architecture: &Architecture| {
        arguments.built.join(architecture.target()).join(&arguments.profile).join(program)
    };
    let parts =
        arguments.architecture.iter().map(|architecture| Part::of_program(&built(architecture), &path));
    let parts = parts.collect::<Result<_, _>>()?;
    let label = |name: &str, value: &str| (format!("org.opencontainers.image.{name}"), value.to_owned());
    let mut labels = BTreeMap::from([
        label("title", program),
        label("description", what),
        label("version", env!("CARGO_PKG_VERSION")),
        label("source", env!("CARGO_PKG_REPOSITORY")),
        label("licenses", env!("CARGO_PKG_LICENSE")),
    ]);
    labels.extend(arguments.revision.as_deref().map(|revision| label("revision", revision)));
    Ok(Image {
        name: format!("{}/{program}:{}", arguments.registry, arguments.tag),
        entrypoint: vec![path],
        user: Some(USER.to_owned()),
        labels,
        parts,
    })
}
