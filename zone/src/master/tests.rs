//! Master files: what is read of them, and what is said of what cannot be read.

mod recovery;
mod round;

use super::*;
use crate::name;
use crate::rdata;
use proptest::prelude::*;
use std::collections::HashMap;
use std::io::BufRead;

struct Files(HashMap<&'static str, &'static str>);

impl Includes for Files {
    fn open(&mut self, path: &str) -> Result<Box<dyn BufRead>, String> {
        let text = self.0.get(path).ok_or("there is no such file")?;
        Ok(Box::new(text.as_bytes()))
    }
}

/// Records as lines, and problems as `line:column message`.
fn read_with(text: &[u8], files: &mut Files) -> (Vec<String>, Vec<String>) {
    read_within(Limits::default(), text, files)
}

fn read_within(limits: Limits, text: &[u8], files: &mut Files) -> (Vec<String>, Vec<String>) {
    let options = Options {
        origin: Some(name::parse_absolute("example.com").expect("a name")),
        includes: Some(files),
        limits,
        ..Options::default()
    };
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    for found in Reader::new("f", Box::new(text), options) {
        match found {
            Ok(record) => {
                let mut line = Vec::new();
                write_record(&mut line, &record.value).expect("writes to memory");
                records.push(String::from_utf8(line).expect("ASCII").trim_end().to_owned());
            }
            Err(problem) => {
                let position = &problem.position;
                problems.push(format!("{}:{} {}", position.line, position.column, problem.message));
            }
        }
    }
    (records, problems)
}

fn read(text: &str) -> (Vec<String>, Vec<String>) {
    read_with(text.as_bytes(), &mut Files(HashMap::new()))
}

#[track_caller]
fn all_right(text: &str, expected: &[&str]) {
    let (records, problems) = read(text);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(records, expected);
}

/// RFC 1035 §5.1 and §5.3.
#[test]
fn rfc1035_5_syntax() {
    all_right(
        "$TTL 1h\n\
         @ IN SOA ns host\\.master ( 1 ; serial\n  2h 3m\n 4 5 )\n\
         \tNS ns ; blank owner, class omitted\n\
         ns 60 IN A 192.0.2.1\n\
         ns2 IN 60 A 192.0.2.2\n\
         www.example.org. A 192.0.2.3\n\
         a\\.b A 192.0.2.4\n\
         \\119ww A 192.0.2.5\n\
         t TXT \"a;b\" \"c\\\"d\" e\\;f\n\
         m MX 10 @\n",
        &[
            "example.com. 3600 IN SOA ns.example.com. host\\.master.example.com. 1 7200 180 4 5",
            "example.com. 3600 IN NS ns.example.com.",
            "ns.example.com. 60 IN A 192.0.2.1",
            "ns2.example.com. 60 IN A 192.0.2.2",
            "www.example.org. 3600 IN A 192.0.2.3",
            "a\\.b.example.com. 3600 IN A 192.0.2.4",
            "www.example.com. 3600 IN A 192.0.2.5",
            "t.example.com. 3600 IN TXT \"a;b\" \"c\\\"d\" \"e;f\"",
            "m.example.com. 3600 IN MX 10 example.com.",
        ],
    );
}

#[test]
fn line_ends_marks_and_tabs() {
    all_right(
        "\u{feff}$TTL 5\r\na\tA\t192.0.2.1\r\n\r\n ; only a comment\r\nb A 192.0.2.2",
        &["a.example.com. 5 IN A 192.0.2.1", "b.example.com. 5 IN A 192.0.2.2"],
    );
}

/// RFC 1035 §5.1: an omitted TTL is the last one stated; RFC 2308 §4: `$TTL` goes before.
#[test]
fn omitted_ttls() {
    all_right(
        "a 7 A 192.0.2.1\nb A 192.0.2.2\n$TTL 9\nc A 192.0.2.3\nd 1d A 192.0.2.4\ne A 192.0.2.5\n",
        &[
            "a.example.com. 7 IN A 192.0.2.1",
            "b.example.com. 7 IN A 192.0.2.2",
            "c.example.com. 9 IN A 192.0.2.3",
            "d.example.com. 86400 IN A 192.0.2.4",
            "e.example.com. 9 IN A 192.0.2.5",
        ],
    );
    all_right(
        "@ SOA ns h 1 2 3 4 55\n@ NS ns\n",
        &[
            "example.com. 55 IN SOA ns.example.com. h.example.com. 1 2 3 4 55",
            "example.com. 55 IN NS ns.example.com.",
        ],
    );
    assert_eq!(
        read("a A 192.0.2.1\nb 5 A 192.0.2.2").1,
        ["1:3 this record has no TTL, and none was stated before it"]
    );
}

/// A value that is wrong takes nothing from the records after it: its TTL was stated.
#[test]
fn a_ttl_counts_though_its_line_is_wrong() {
    let (records, problems) = read("a 7 A wrong\nb A 192.0.2.1\nc 8 WRONG x\nd A 192.0.2.2\n");
    assert_eq!(records, ["b.example.com. 7 IN A 192.0.2.1", "d.example.com. 8 IN A 192.0.2.2"]);
    assert_eq!(problems.len(), 2);
}

/// Names after a wrong `$ORIGIN` are not below the origin before it: they would be other names.
#[test]
fn nothing_is_relative_to_a_wrong_origin() {
    let (records, problems) = read(
        "$TTL 5\n$ORIGIN a..b.\nw A 192.0.2.1\nx.example.com. CNAME y\nx.example.com. MX 10 z.test.\n\
         $ORIGIN example.com.\nv A 192.0.2.2\n",
    );
    assert_eq!(
        records,
        ["x.example.com. 5 IN MX 10 z.test.", "v.example.com. 5 IN A 192.0.2.2"],
        "{problems:#?}"
    );
    let places: Vec<&str> = problems.iter().filter_map(|problem| problem.split(' ').next()).collect();
    assert_eq!(places, ["2:9", "3:1", "4:22"]);
}

/// Without an origin a relative name in a value was taken for one below the root.
#[test]
fn relative_names_in_values_need_an_origin() {
    let text = "example.com. 5 NS ns\nexample.com. 5 IN MX 10 mail.test.\n$ORIGIN test.\na 5 NS ns\n";
    let found: Vec<_> = Reader::new("f", Box::new(text.as_bytes()), Options::default()).collect();
    let problem = found[0].as_ref().expect_err("no origin");
    assert_eq!((problem.position.line, problem.position.column), (1, 19));
    assert!(problem.message.contains("\"ns\" is below an origin, and none is known"), "{problem}");
    assert!(found[1].is_ok() && found[2].is_ok() && found.len() == 3);
}

/// RFC 1035 §5.1: the first word is the owner, whatever it looks like.
#[test]
fn owners_that_look_like_something_else() {
    all_right(
        "A 5 A 192.0.2.1\nIN 5 IN A 192.0.2.2\n300 5 A 192.0.2.3\nTXT TXT IN\nCLASS1 IN 6 A 192.0.2.4\n\
         \\@ A 192.0.2.5\n\\$TTL A 192.0.2.6\n\"q\" A 192.0.2.7\n",
        &[
            "A.example.com. 5 IN A 192.0.2.1",
            "IN.example.com. 5 IN A 192.0.2.2",
            "300.example.com. 5 IN A 192.0.2.3",
            "TXT.example.com. 5 IN TXT \"IN\"",
            "CLASS1.example.com. 6 IN A 192.0.2.4",
            "\\@.example.com. 6 IN A 192.0.2.5",
            "\\$TTL.example.com. 6 IN A 192.0.2.6",
            "q.example.com. 6 IN A 192.0.2.7",
        ],
    );
}

/// As BIND reads it: a quote ends a word.
#[test]
fn a_quote_within_a_word() {
    all_right(
        "a 5 TXT k=\"a ; b\" c\"d\"e\nb HTTPS 1 . key9999=\"a ;) b\" alpn=\"h2\"\n",
        &[
            "a.example.com. 5 IN TXT \"k=\" \"a ; b\" \"c\" \"d\" \"e\"",
            "b.example.com. 5 IN HTTPS 1 . alpn=h2 key9999=\"a ;) b\"",
        ],
    );
}

/// A CR alone ends a line, as old editors wrote it and BIND and NSD read it.
#[test]
fn a_carriage_return_alone_ends_a_line() {
    all_right(
        "$TTL 5\r; a comment\ra A 192.0.2.1\r\rb A 192.0.2.2\r\n\tA 192.0.2.3\r",
        &[
            "a.example.com. 5 IN A 192.0.2.1",
            "b.example.com. 5 IN A 192.0.2.2",
            "b.example.com. 5 IN A 192.0.2.3",
        ],
    );
    assert_eq!(read("a 5 A 1\rb 5 A 2\r\nc 5 A 3\n\rd 5 A 4").1.len(), 4);
    assert!(read("a 5 A 192.0.2.1\r\n\r\rb A x").1[0].starts_with("4:5 "));
}

/// Only the records of a `$GENERATE` that are wrong are left out, said once.
#[test]
fn generate_goes_on_after_a_wrong_record() {
    let (records, problems) = read("$GENERATE 254-257 h$ 5 A 192.0.2.$\n$GENERATE 1-3 n$ A 192.0.2.${-2}\n");
    assert_eq!(
        records,
        [
            "h254.example.com. 5 IN A 192.0.2.254",
            "h255.example.com. 5 IN A 192.0.2.255",
            "n2.example.com. 5 IN A 192.0.2.0",
            "n3.example.com. 5 IN A 192.0.2.1",
        ]
    );
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].starts_with("1:1 for $ = 256, the value"), "{problems:#?}");
    assert!(problems[1].starts_with("2:1 for $ = 1, "), "{problems:#?}");
}

/// After an include the origin and owner are those before it; `$TTL` stays, as BIND has it.
#[test]
fn what_an_include_leaves_behind() {
    let mut files =
        Files(HashMap::from([("in", "\tA 192.0.2.1\n$TTL 9\n$ORIGIN in.test.\nb A 192.0.2.2\n")]));
    let (records, problems) =
        read_with(b"$TTL 5\na TXT x\n$INCLUDE in\n\tA 192.0.2.3\nc A 192.0.2.4\n", &mut files);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(
        records,
        [
            "a.example.com. 5 IN TXT \"x\"",
            "a.example.com. 5 IN A 192.0.2.1",
            "b.in.test. 9 IN A 192.0.2.2",
            "a.example.com. 9 IN A 192.0.2.3",
            "c.example.com. 9 IN A 192.0.2.4",
        ]
    );
}

/// A file that breaks off says where.
#[test]
fn a_file_that_cannot_be_read_to_its_end() {
    struct Breaks(&'static [u8]);
    impl std::io::Read for Breaks {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() { Err(std::io::Error::other("gone")) } else { self.0.read(buffer) }
        }
    }
    let input = std::io::BufReader::new(Breaks(b"a.test. 5 A 192.0.2.1\nb.test. 5 A 192.0.2.2\nc.test."));
    let found: Vec<_> = Reader::new("f", Box::new(input), Options::default()).collect();
    assert_eq!(found.len(), 3);
    let problem = found[2].as_ref().expect_err("broken off");
    assert_eq!(
        problem.to_string(),
        "f:3:1: the file cannot be read to its end: gone; expected a file that can be read"
    );
}

/// Octets that no text has: each line for itself.
#[test]
fn binary_junk_between_records() {
    let text = b"$TTL 5\na A 192.0.2.1\n\x00\xff\x00 \xfe \x00\n\x7fELF\x01\x00(\nb A 192.0.2.2\nc\x00 TXT \x00\xff\n";
    let (records, problems) = read_with(text, &mut Files(HashMap::new()));
    assert_eq!(
        records,
        [
            "a.example.com. 5 IN A 192.0.2.1",
            "b.example.com. 5 IN A 192.0.2.2",
            "c\\000.example.com. 5 IN TXT \"\\000\\255\"",
        ]
    );
    assert_eq!(problems.len(), 2, "{problems:#?}");
}

/// BIND, NSD and Knot do not know every type by its name.
#[test]
fn what_others_may_not_know_is_written_as_rfc3597_says() {
    all_right(
        "$TTL 5\na AMTRELAY 10 0 1 192.0.2.1\nb TYPE65280 \\# 0\nc NSAP-PTR d\ne TYPE257 0 issue \"x\"\n",
        &[
            "a.example.com. 5 IN TYPE260 \\# 6 0A01C0000201",
            "b.example.com. 5 IN TYPE65280 \\# 0",
            "c.example.com. 5 IN TYPE23 \\# 15 0164076578616D706C6503636F6D00",
            "e.example.com. 5 IN CAA 0 issue \"x\"",
        ],
    );
}

/// A transfer has the SOA first and last.
#[test]
fn a_soa_that_stands_twice() {
    all_right(
        "@ 5 SOA ns h 1 2 3 4 5\na 5 A 192.0.2.1\n@ 5 SOA ns h 1 2 3 4 5\n",
        &[
            "example.com. 5 IN SOA ns.example.com. h.example.com. 1 2 3 4 5",
            "a.example.com. 5 IN A 192.0.2.1",
        ],
    );
}

/// Found by fuzzing: written out, the second one was left out when it was read again.
#[test]
fn a_soa_that_is_generated_twice() {
    all_right(
        "$GENERATE 1-2 @ 5 SOA ns h 1 2 3 4 5\n",
        &["example.com. 5 IN SOA ns.example.com. h.example.com. 1 2 3 4 5"],
    );
}

#[test]
fn generate() {
    all_right(
        "$TTL 5\n$GENERATE 1-3 h$ A 192.0.2.$\n$GENERATE 1-5/2 ${10,4,x}.$$ 60 IN CNAME n${-1,3}.\\$\n\
         $GENERATE 18-18 ${0,7,n} PTR ${0,0,N}.x\n",
        &[
            "h1.example.com. 5 IN A 192.0.2.1",
            "h2.example.com. 5 IN A 192.0.2.2",
            "h3.example.com. 5 IN A 192.0.2.3",
            "000b.\\$.example.com. 60 IN CNAME n000.\\$.example.com.",
            "000d.\\$.example.com. 60 IN CNAME n002.\\$.example.com.",
            "000f.\\$.example.com. 60 IN CNAME n004.\\$.example.com.",
            "2.1.0.0.example.com. 5 IN PTR 2.1.x.example.com.",
        ],
    );
    let (records, problems) = read(
        "$GENERATE 0-9 a A 5 $\n$GENERATE 3-1 a$ A 192.0.2.$\n$GENERATE 0-3 a 5 A 192.0.${0,0,q}.$\nb 5 A 192.0.2.1",
    );
    assert_eq!(records, ["b.example.com. 5 IN A 192.0.2.1"]);
    assert_eq!(problems.len(), 3, "a wrong line is said once: {problems:#?}");
    let (_, problems) = read("$GENERATE 0-2000000 a$ 5 A 192.0.2.1\n");
    assert_eq!(problems, ["1:11 this makes 2000001 records of $GENERATE in all"]);
}

#[test]
fn include() {
    let mut files = Files(HashMap::from([
        ("sub.zone", "a 5 A 192.0.2.1\n$ORIGIN deeper\nb A 192.0.2.2\n"),
        ("self.zone", "$INCLUDE self.zone\nc 5 A 192.0.2.3\n"),
    ]));
    let (records, problems) =
        read_with(b"$INCLUDE sub.zone sub\nd A 192.0.2.4\n$INCLUDE none.zone\n", &mut files);
    assert_eq!(
        records,
        [
            "a.sub.example.com. 5 IN A 192.0.2.1",
            "b.deeper.sub.example.com. 5 IN A 192.0.2.2",
            "d.example.com. 5 IN A 192.0.2.4",
        ]
    );
    assert_eq!(problems, ["3:10 none.zone cannot be included: there is no such file"]);
    let (records, problems) = read_with(b"$INCLUDE self.zone\n", &mut files);
    assert_eq!((records.len(), problems.len()), (7, 1));
    assert!(problems[0].contains("one $INCLUDE too many"));
}

/// Files that include each other twice, and lines that together generate too much: what they make is counted in all.
#[test]
fn attack_includes_and_generates_that_multiply() {
    let mut files = Files(HashMap::from([
        ("twice.zone", "$INCLUDE twice.zone\n$INCLUDE twice.zone\na 5 A 192.0.2.1\n"),
        ("many.zone", "$GENERATE 1-40 a$ 5 A 192.0.2.1\n"),
    ]));
    let input = "$INCLUDE twice.zone\n".repeat(100);
    let (records, problems) = read_with(input.as_bytes(), &mut files);
    assert_eq!(records.len(), 1000, "so many files in all");
    assert!(problems.iter().all(|problem| problem.contains("one $INCLUDE too many")));
    let limits = Limits { generated: 100, ..Limits::default() };
    let (records, problems) = read_within(limits, &b"$INCLUDE many.zone\n".repeat(4), &mut files);
    assert_eq!((records.len(), problems.len()), (80, 2));
    assert!(problems[0].contains("120 records of $GENERATE in all"), "{problems:?}");
}

/// One bad line never hides the others, and says where and what.
#[test]
fn one_bad_line_never_hides_the_others() {
    let (records, problems) = read(
        "$TTL 5\n\
         a A 192.0.2.256\n\
         b A 192.0.2.1\n\
         c ALIAS example.net.\n\
         d CH TXT x\n\
         e..f A 192.0.2.1\n\
         \tA 192.0.2.9\n\
         g A\n\
         h TXT \"never closed\n\
         i TXT bad\\300\n\
         $WHAT 1\n\
         j ) A 192.0.2.2\n\
         k SOA ( ns h 1 2\n\
         l A 192.0.2.3\n\
         m 2147483648 A 192.0.2.4\n\
         n A 192.0.2.5\n",
    );
    assert_eq!(
        records,
        [
            "b.example.com. 5 IN A 192.0.2.1",
            "l.example.com. 5 IN A 192.0.2.3",
            "n.example.com. 5 IN A 192.0.2.5"
        ]
    );
    let places: Vec<&str> =
        problems.iter().map(|problem| problem.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(
        places,
        ["2:5", "4:3", "5:3", "6:1", "7:2", "8:3", "9:7", "10:7", "11:1", "12:3", "13:7", "15:3"],
        "{problems:#?}"
    );
    assert!(problems[0].contains("write it as in 192.0.2.1"));
    assert!(problems[1].contains("\"ALIAS\" is not a type of records"));
}

proptest! {
    /// Any octets: an end, never a panic.
    #[test]
    fn any_octets_are_read_to_the_end(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        read_with(&octets, &mut Files(HashMap::new()));
    }

    /// Octets that look more like a master file.
    #[test]
    fn any_words_are_read_to_the_end(words in prop::collection::vec(prop::sample::select(vec![
        "a", "@", "A", "IN", "5", "192.0.2.1", "TXT", "\"", "(", ")", "\n", " ", "\t", ";", "\\", "$GENERATE", "1-9", "$",
        "${", "}", "$ORIGIN", "$TTL", "SOA", "\\#", "4", "0a", "\r", "=\"", ".", "..",
    ]), 0..60)) {
        read(&words.join(" "));
        read(&words.concat());
    }

    /// What is written is read as the same records.
    #[test]
    fn written_and_read(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..12), 0..5), text in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut wire = Vec::new();
        for label in &labels {
            wire.push(label.len() as u8);
            wire.extend_from_slice(label);
        }
        wire.push(0);
        let name = crate::Name::from_octets(wire.into()).expect("a name");
        let mut value = vec![text.len() as u8];
        value.extend(&text);
        let rtype = domain::base::iana::Rtype::TXT;
        let record = crate::Record { name, rtype, ttl: 5, rdata: rdata::from_wire(rtype, value.into()).expect("a value") };
        let mut line = Vec::new();
        write_record(&mut line, &record).expect("writes to memory");
        let again: Vec<_> = Reader::new("f", Box::new(&line[..]), Options::default()).collect();
        prop_assert_eq!(again.len(), 1);
        prop_assert_eq!(&again[0].as_ref().expect("a record").value, &record);
    }
}
