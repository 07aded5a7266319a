//! The manifest of a zone in the disk cache: anything may stand there. What is taken says the same when it is written
//! again. Since a manifest states its own digest, an input is tried as it is, and as the body of one that is right.

use port53_resolver::disk::manifest_again;
use port53_zone::content::Digest;

/// Runs one input.
///
/// # Panics
/// When what was taken does not hold.
pub fn run(input: &[u8]) {
    check(input);
    check(&[format!("port53-cache 1 {}\n", Digest::of(input)).as_bytes(), input].concat());
}

fn check(octets: &[u8]) {
    if let Ok(written) = manifest_again(octets) {
        assert_eq!(manifest_again(written.as_bytes()).as_deref(), Ok(&written[..]));
    }
}
