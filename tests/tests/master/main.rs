//! Master files: what BIND, ldns and NSD read of a file is what we read of it, and what we write they load to
//! the same.
//!
//! For each file, ours is written record by record as we read it; then a peer prints the file and prints ours,
//! and the two are the same lines. A peer that does not know a piece of syntax is named in the fixture,
//! `; differs PROGRAM: why`; one that is named without need fails as well, and one peer at least must agree.

mod peers;
mod real;

use peers::Printer;
use port53_tests::read::{Read, read};
use port53_zone::{Name, master, name};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/master");
/// The zone of a fixture that does not say `; zone NAME`.
const USUAL_ZONE: &str = "example.test.";

/// A master file on disk, and what it says of itself.
struct File {
    path: PathBuf,
    octets: Vec<u8>,
    zone: String,
    /// Programs that read it otherwise.
    differs: Vec<String>,
}

impl File {
    fn open(path: &Path) -> Self {
        let octets = fs::read(path).expect("a readable file");
        let text = String::from_utf8_lossy(&octets);
        let says = |what: &str| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix("; ")?.strip_prefix(what));
            lines.map(|line| line.trim().to_owned()).collect()
        };
        let zone = says("zone ").pop().unwrap_or_else(|| USUAL_ZONE.to_owned());
        let differs = says("differs ");
        let differs = differs.iter().filter_map(|line| Some(line.split_once(": ")?.0.to_owned())).collect();
        File { path: path.to_owned(), zone, differs, octets }
    }

    fn all() -> Vec<Self> {
        let mut paths: Vec<PathBuf> = fs::read_dir(FIXTURES)
            .expect("the fixtures")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "zone"))
            .collect();
        paths.sort();
        assert!(paths.len() >= 25, "the fixtures are in {FIXTURES}");
        paths.iter().map(|path| File::open(path)).collect()
    }

    fn name(&self) -> String {
        self.path.file_name().expect("a name").to_string_lossy().into_owned()
    }

    fn dir(&self) -> &Path {
        self.path.parent().expect("a directory")
    }

    fn read(&self) -> Read {
        self.read_octets(&self.octets)
    }

    fn read_octets(&self, octets: &[u8]) -> Read {
        read(&self.name(), octets, &self.zone, Some(self.dir()))
    }

    fn apex(&self) -> Name {
        name::parse_absolute(&self.zone).expect("an apex")
    }
}

/// What is wrong, by file; a test fails with all of it.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn add(&mut self, file: &str, what: String) {
        self.0.push(format!("{file}: {what}"));
    }

    #[track_caller]
    fn report(self) {
        assert!(self.0.is_empty(), "{} faults:\n{}", self.0.len(), self.0.join("\n"));
    }
}

#[test]
fn we_read_every_fixture_as_the_peers_do() {
    let mut wrong = Wrong::default();
    for file in File::all() {
        let read = file.read();
        for problem in &read.problems {
            wrong.add(&file.name(), format!("there is nothing wrong in it: {problem}"));
        }
        compare(&file, &record_by_record(&read), &mut wrong);
    }
    wrong.report();
}

#[test]
fn the_peers_load_what_we_write_of_every_fixture() {
    let mut wrong = Wrong::default();
    for file in File::all() {
        let written = written(&file, &file.read());
        check_loading(&file, &written, &mut wrong);
        compare(&file, &written, &mut wrong);
    }
    wrong.report();
}

/// RFC 1035 §5.1 leaves line ends to the system. A byte-order mark is what some editors put first.
#[test]
fn line_ends_and_a_byte_order_mark_change_nothing() {
    let mut wrong = Wrong::default();
    for file in File::all() {
        let expected = record_by_record(&file.read());
        let text = file.octets.clone();
        let without_last: Vec<u8> = text.strip_suffix(b"\n").unwrap_or(&text).to_vec();
        let with_mark = [b"\xef\xbb\xbf", text.as_slice()].concat();
        let lines = text.split(|&octet| octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let crlf = lines.collect::<Vec<_>>().join(&b"\r\n"[..]);
        for (what, octets) in
            [("without its last line end", without_last), ("with a mark", with_mark), ("with CR LF", crlf)]
        {
            let read = file.read_octets(&octets);
            if !read.problems.is_empty() || record_by_record(&read) != expected {
                wrong.add(&file.name(), format!("{what} it is read otherwise: {:?}", read.problems));
            }
        }
    }
    wrong.report();
}

/// Our writing is a fixed point: read again, it is the same records and the same text.
#[test]
fn what_we_write_we_read_again() {
    for file in File::all() {
        let read = file.read();
        let text = written(&file, &read);
        let again = file.read_octets(text.as_bytes());
        assert!(again.problems.is_empty(), "{}: {:?}", file.name(), again.problems);
        assert_eq!(again.rrsets(), read.rrsets(), "{}", file.name());
        assert_eq!(written(&file, &again), text, "{}", file.name());
    }
}

/// Each record as it was read, one a line.
fn record_by_record(read: &Read) -> String {
    let mut text = Vec::new();
    for record in &read.records {
        master::write_record(&mut text, record).expect("memory");
    }
    String::from_utf8(text).expect("ASCII")
}

/// The zone as the writer writes it.
fn written(file: &File, read: &Read) -> String {
    let (soa, rrsets) = read.rrsets();
    let mut text = Vec::new();
    master::write(&mut text, &file.apex(), &soa, rrsets).expect("memory");
    String::from_utf8(text).expect("ASCII")
}

/// Says where a peer reads `file` otherwise than `ours`, which is what we wrote of it.
fn compare(file: &File, ours: &str, wrong: &mut Wrong) {
    let temporary = TempDir::new().expect("a temporary directory");
    let path = temporary.path().join("ours");
    fs::write(&path, ours).expect("a file");
    let mut agreed = 0;
    for printer in Printer::ALL {
        let program = printer.program();
        let theirs = printer.read(&file.zone, &file.path, file.dir());
        let ours = printer.read(&file.zone, &path, file.dir());
        let fault = match (&theirs, &ours) {
            (Ok(theirs), Ok(ours)) if theirs == ours => None,
            (Ok(theirs), Ok(ours)) => {
                let only = |a: &std::collections::BTreeSet<String>,
                            b: &std::collections::BTreeSet<String>| {
                    a.difference(b).take(5).cloned().collect::<Vec<_>>().join("\n      ")
                };
                Some(format!(
                    "\n    it reads\n      {}\n    ours\n      {}",
                    only(theirs, ours),
                    only(ours, theirs)
                ))
            }
            (Err(said), _) => Some(format!("it does not read it: {said}")),
            (_, Err(said)) => Some(format!("it does not read ours: {said}")),
        };
        match (fault, file.differs.iter().any(|name| name == program)) {
            (None, false) => agreed += 1,
            (Some(fault), false) => wrong.add(&file.name(), format!("{program}: {fault}")),
            (Some(_), true) => {}
            (None, true) => wrong.add(&file.name(), format!("take out `; differs {program}`: it agrees")),
        }
    }
    if agreed == 0 {
        wrong.add(&file.name(), "no peer agrees".to_owned());
    }
}

/// Says where BIND, NSD or Knot does not load what we wrote.
fn check_loading(file: &File, ours: &str, wrong: &mut Wrong) {
    let temporary = TempDir::new().expect("a temporary directory");
    let path = temporary.path().join("ours");
    fs::write(&path, ours).expect("a file");
    if let Err(said) = peers::load(&file.zone, &path, temporary.path()) {
        wrong.add(&file.name(), said);
    }
}
