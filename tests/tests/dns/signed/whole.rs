//! What is transferred of a signed zone is the whole of it, as `ldns-verify-zone` sees it: every signature, and the
//! chain from the first to the last name.

use super::signing::{RECORDS, Signed, sign_all};
use crate::transfer::Primary;
use port53_tests::process::{self, Finished};
use port53_tests::read::read;
use port53_zone::content::Content;
use port53_zone::image::Image;
use port53_zone::name;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

#[test]
fn ldns_finds_what_is_transferred_of_a_signed_zone_whole() {
    let dir = TempDir::new().expect("a temporary directory");
    for zone in sign_all(dir.path(), RECORDS) {
        let transferred = transfer(&zone);
        let verified = verify(dir.path(), &transferred);
        assert!(verified.success, "{}: {}{}", zone.apex, verified.stdout, verified.stderr);
        // What is left out is noticed, so the above says something.
        let chain = if zone.apex.contains("-nsec.") { "NSEC" } else { "NSEC3" };
        for missing in [&["RRSIG", "A"][..], &[chain]] {
            let is_it = |line: &&str| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                // After owner, TTL and class.
                fields.get(3..3 + missing.len()) == Some(missing)
            };
            let one = transferred.lines().find(is_it);
            let one = one.unwrap_or_else(|| panic!("no {missing:?} in {transferred}"));
            let verified = verify(dir.path(), &transferred.replace(one, ""));
            assert!(!verified.success, "{} without {one}: {}", zone.apex, verified.stdout);
        }
    }
}

/// The zone as `dig` has it by AXFR.
fn transfer(zone: &Signed) -> String {
    let (soa, rrsets) = read(&zone.apex, zone.text.as_bytes(), &zone.apex, None).rrsets();
    let apex = name::parse_absolute(&zone.apex).expect("a name");
    let content = Content::build(apex, [7; 16], rrsets.into_iter().map(|rrset| (rrset, None)));
    let primary = Primary::start("hmac-sha256", Image::new(content.expect("a content"), soa));
    let dig = primary.run("dig", &["-y", &Primary::key("hmac-sha256"), "+onesoa", "AXFR", &zone.apex]);
    assert!(dig.success && dig.stdout.contains("XFR size"), "{}{}", dig.stdout, dig.stderr);
    // The signature of the transfer is no record of the zone.
    dig.stdout.lines().filter(|line| !line.contains("\tTSIG\t")).map(|line| format!("{line}\n")).collect()
}

fn verify(dir: &Path, zone: &str) -> Finished {
    fs::write(dir.join("transferred"), zone).expect("a zone file");
    process::run("ldns-verify-zone", &["transferred"], dir)
}
