//! The inputs that were found by fuzzing (`fuzz/`), and the seeds, through the function of the target.

#[path = "../../fuzz/src/transfer.rs"]
#[expect(unreachable_pub, reason = "it is public where it is fuzzed")]
mod transfer;

use std::fs;
use std::path::Path;

#[test]
fn transfers() {
    let mut count = 0;
    for directory in ["found", "seeds"] {
        let directory =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(directory).join("transfer");
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            println!("{}", path.display());
            transfer::run(&fs::read(path).expect("an input"));
            count += 1;
        }
    }
    assert!(count > 0, "there is no input");
}
