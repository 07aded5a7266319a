//! The images that `make e2e` has built, and others that are made of the same programs.

use crate::process::{find, run_with};
use port53_images::{Architecture, File, Image, Part};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where `make e2e` puts what is installed.
const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/images-of-tests");
/// Where `make e2e` builds programs.
const PROGRAMS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../target/x86_64-unknown-linux-musl/image-of-tests");

/// An image, as an archive.
#[derive(Clone, Debug)]
pub struct Archive {
    /// What it is called: `localhost/port53/port53-resolver:0.1.0`.
    pub image: String,
    /// Where it is.
    pub path: PathBuf,
}

/// What the names of all images begin with: `REGISTRY`, where there is a cluster whose nodes pull from one.
pub fn registry() -> String {
    registry_of_given().unwrap_or("localhost/port53".to_owned())
}

/// Whether nodes pull them, each time for they are called alike in each run; where there is no registry they know them.
pub fn pull_policy() -> &'static str {
    match registry_of_given() {
        Some(_) => "Always",
        None => "Never",
    }
}

fn registry_of_given() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    set("KUBECONFIG").and(set("REGISTRY"))
}

/// The images that are installed.
///
/// # Panics
/// With how to make them where they are not there.
pub fn images() -> Vec<Archive> {
    let all = ["port53-operator", "port53-resolver", "port53"].map(|name| Archive {
        image: format!("{}/{name}:{}", registry(), env!("CARGO_PKG_VERSION")),
        path: Path::new(IMAGES).join(format!("{name}.tar")),
    });
    for image in &all {
        assert!(image.path.is_file(), "{} is not there: run make e2e", image.path.display());
    }
    all.to_vec()
}

/// Images of resolvers with faults.
///
/// # Panics
/// With how to build it where it is not there.
pub fn faulty_images(faults: &[&str], dir: &Path) -> Vec<Archive> {
    let one = |fault: &&str| image(faulty_name(fault), "port53-faulty", &format!("faulty-{fault}"), dir);
    faults.iter().map(one).collect()
}

/// Values of the chart by which the resolver is one with a fault.
pub fn faulty(fault: &str) -> [String; 2] {
    [
        r#"nameservers.config={"listen":"127.0.0.1:15353"}"#.to_owned(),
        format!(r#"nameservers.image="{}""#, faulty_name(fault)),
    ]
}

fn faulty_name(fault: &str) -> String {
    format!("{}/port53-tests-faulty-{fault}:1", registry())
}

/// The name of an image of the resolver that is as the one of the chart, for upgrades.
pub fn other() -> String {
    format!("{}/port53-tests-resolver:2", registry())
}

/// The image [`other`].
///
/// # Panics
/// With how to build it where it is not there.
pub fn other_image(dir: &Path) -> Archive {
    image(other(), "port53-resolver", "resolver", dir)
}

/// An image of one program, which is called `file` in it.
fn image(name: String, program: &str, file: &str, dir: &Path) -> Archive {
    let program = Path::new(PROGRAMS).join(program);
    assert!(program.is_file(), "{} is not there: run make e2e", program.display());
    let path = format!("/{file}");
    let image = Image {
        name,
        entrypoint: vec![path.clone()],
        user: Some("65532:65532".to_owned()),
        parts: vec![Part::of_program(&program, &path).expect("a program that is linked whole")],
        ..Image::default()
    };
    written(image, &dir.join(format!("{file}.tar")))
}

/// The image of a pod that asks: Debian's `dig` and `socat`, and what they are linked with on this machine.
///
/// # Panics
/// When they are not there.
pub fn asker_image(dir: &Path) -> Archive {
    let programs @ [_, socat] = &["dig", "socat"].map(find);
    let socat = socat.to_str().expect("a path in UTF-8");
    let image = Image {
        name: format!("{}/port53-tests-asker:1", registry()),
        // Something that never ends, without a shell.
        entrypoint: [socat, "TCP-LISTEN:5300,fork", "PIPE"].map(str::to_owned).to_vec(),
        user: Some("65532:65532".to_owned()),
        parts: vec![Part { architecture: Architecture::Amd64, files: linked(programs) }],
        ..Image::default()
    };
    written(image, &dir.join("asker.tar"))
}

/// The image of a legacy DNS: Debian's BIND, and what it is linked with on this machine. Its configuration is
/// `/config/named.conf`.
///
/// # Panics
/// When it is not there.
pub fn bind_image(dir: &Path) -> Archive {
    let named = find("named");
    let program = named.to_str().expect("a path in UTF-8").to_owned();
    let image = Image {
        name: format!("{}/port53-tests-bind:1", registry()),
        entrypoint: [program.as_str(), "-g", "-n", "1", "-c", "/config/named.conf"]
            .map(str::to_owned)
            .to_vec(),
        user: Some("65532:65532".to_owned()),
        parts: vec![Part { architecture: Architecture::Amd64, files: linked(&[named]) }],
        ..Image::default()
    };
    written(image, &dir.join("bind.tar"))
}

fn written(image: Image, path: &Path) -> Archive {
    image.write(path).expect("an image");
    Archive { image: image.name, path: path.to_owned() }
}

/// Programs, and the libraries and the loader that they are linked with, where they are on this machine.
fn linked(programs: &[PathBuf]) -> Vec<File> {
    let mut paths: BTreeSet<PathBuf> = programs.iter().cloned().collect();
    for program in programs {
        let done = run_with(Command::new("ldd").arg(program), b"");
        assert!(done.status.success(), "ldd: {done:?}");
        // "libuv.so.1 => /lib/libuv.so.1 (0x…)", and the loader alone: "/lib64/ld-linux-x86-64.so.2 (0x…)".
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        paths.extend(said.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from));
    }
    let file = |path: PathBuf| File {
        octets: fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        path: path.to_str().expect("a path in UTF-8").to_owned(),
        is_program: true,
    };
    paths.into_iter().map(file).collect()
}
