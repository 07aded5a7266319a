//! The inputs that were found, and the seeds, through the functions of the targets.

use std::fs;
use std::path::Path;

fn run_all(target: &str, run: fn(&[u8])) {
    let mut count = 0;
    for directory in ["found", "seeds"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory).join(target);
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            println!("{}", path.display());
            run(&fs::read(path).expect("an input"));
            count += 1;
        }
    }
    assert!(count > 0, "there is no input for {target}");
}

#[test]
fn answers() {
    run_all("answer", port53_fuzz::answering::run);
}

#[test]
fn master_files() {
    run_all("master", port53_fuzz::master::run);
}

#[test]
fn legacies() {
    run_all("legacy", port53_fuzz::legacy::run);
}

#[test]
fn slices() {
    run_all("slices", port53_fuzz::slices::run);
}
