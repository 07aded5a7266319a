//! The reader of master files: it ends, says a place for each problem, and what it read is read the same when
//! it was written.

use port53_zone::master::{Includes, Limits, Options, Reader, write_record};
use port53_zone::{Record, name};
use std::io::BufRead;

/// What includes give: the input again.
struct Itself<'a>(&'a [u8]);

impl Includes for Itself<'_> {
    fn open(&mut self, _: &str) -> Result<Box<dyn BufRead>, String> {
        Ok(Box::new(std::io::Cursor::new(self.0.to_vec())))
    }
}

/// Records that an input may make: `$GENERATE` and `$INCLUDE` are bounded.
const GENERATED: u64 = 200;
const LIMITS: Limits = Limits { include_depth: 3, includes: 4, generated: GENERATED };

/// Runs one input.
///
/// # Panics
/// When what was read is not what is read from it written.
pub fn run(input: &[u8]) {
    let mut includes = Itself(input);
    let options = Options {
        origin: name::parse_absolute("example.").ok(),
        includes: Some(&mut includes),
        limits: LIMITS,
        ..Options::default()
    };
    // A carriage return ends a line, too.
    let lines = input.iter().filter(|octet| b"\r\n".contains(octet)).count() + 1;
    let mut written = Vec::new();
    let mut records: Vec<Record> = Vec::new();
    for found in Reader::new("input", Box::new(std::io::Cursor::new(input.to_vec())), options) {
        match found {
            Ok(record) => {
                assert!(
                    record.position.line as usize <= lines,
                    "a line that is not there: {}",
                    record.position
                );
                write_record(&mut written, &record.value).expect("memory takes it");
                records.push(record.value);
            }
            Err(problem) => assert!(!problem.message.is_empty() && !problem.expected.is_empty()),
        }
    }
    let text = String::from_utf8_lossy(&written).into_owned();
    let again: Vec<Record> =
        Reader::new("written", Box::new(std::io::Cursor::new(written)), Options::default())
            .map(|found| found.unwrap_or_else(|problem| panic!("{problem}\n{text}")).value)
            .collect();
    assert_eq!(records.len(), again.len(), "{text}");
    for (one, other) in records.iter().zip(&again) {
        assert_eq!(one.name.as_slice(), other.name.as_slice(), "{text}");
        assert_eq!((one.ttl, one.rtype), (other.ttl, other.rtype), "{text}");
        assert_eq!(one.rdata.as_slice(), other.rdata.as_slice(), "{text}");
    }
}
