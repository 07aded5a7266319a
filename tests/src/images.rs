//! The images that `make e2e` has built, and others that are made of the same programs.

use port53_images::{Image, Part};
use std::path::{Path, PathBuf};

/// Where `make e2e` puts what is installed.
const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/images-of-tests");
/// Where `make e2e` builds programs.
const PROGRAMS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../target/x86_64-unknown-linux-musl/image-of-tests");
/// The name of an image of the resolver that is as the one of the chart, for upgrades.
pub const OTHER: &str = "localhost/port53-tests/resolver:2";

/// The images that are installed.
///
/// # Panics
/// With how to make them where they are not there.
pub fn images() -> Vec<PathBuf> {
    let all = ["port53-operator", "port53-resolver", "port53"]
        .map(|name| Path::new(IMAGES).join(format!("{name}.tar")));
    for image in &all {
        assert!(image.is_file(), "{} is not there: run make e2e", image.display());
    }
    all.to_vec()
}

/// Images of resolvers with faults, `localhost/port53-tests/faulty-FAULT:1`.
///
/// # Panics
/// With how to build it where it is not there.
pub fn faulty_images(faults: &[&str], dir: &Path) -> Vec<PathBuf> {
    let one = |fault: &&str| {
        let name = format!("faulty-{fault}");
        image(&format!("localhost/port53-tests/{name}:1"), "port53-faulty", &name, dir)
    };
    faults.iter().map(one).collect()
}

/// Values of the chart by which the resolver is one with a fault.
pub fn faulty(fault: &str) -> [String; 2] {
    [
        r#"nameservers.config={"listen":"127.0.0.1:15353"}"#.to_owned(),
        format!(r#"nameservers.image="localhost/port53-tests/faulty-{fault}:1""#),
    ]
}

/// The image [`OTHER`].
///
/// # Panics
/// With how to build it where it is not there.
pub fn other_image(dir: &Path) -> PathBuf {
    image(OTHER, "port53-resolver", "resolver", dir)
}

/// An image of one program, which is called `file` in it.
fn image(name: &str, program: &str, file: &str, dir: &Path) -> PathBuf {
    let program = Path::new(PROGRAMS).join(program);
    assert!(program.is_file(), "{} is not there: run make e2e", program.display());
    let path = format!("/{file}");
    let image = Image {
        name: name.to_owned(),
        entrypoint: vec![path.clone()],
        user: Some("65532:65532".to_owned()),
        parts: vec![Part::of_program(&program, &path).expect("a program that is linked whole")],
        ..Image::default()
    };
    let archive = dir.join(format!("{file}.tar"));
    image.write(&archive).expect("an image");
    archive
}
