//! The inputs that were found by fuzzing (`fuzz/`), and the seeds, through the functions of the targets.

#[path = "../../fuzz/src/manifest.rs"]
#[expect(unreachable_pub, reason = "it is public where it is fuzzed")]
mod manifest;
#[path = "../../fuzz/src/stream.rs"]
#[expect(unreachable_pub, reason = "it is public where it is fuzzed")]
mod stream;

use std::fs;
use std::path::Path;

fn run_all(target: &str, run: fn(&[u8])) {
    let mut count = 0;
    for directory in ["found", "seeds"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(directory).join(target);
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
fn streams() {
    run_all("stream", stream::run);
}

#[test]
fn manifests() {
    run_all("manifest", manifest::run);
}
