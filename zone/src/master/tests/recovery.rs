//! What is wrong in one place does not hide what is right in others.

use super::*;

#[test]
fn entries_that_are_too_long_end() {
    let long = format!("$TTL 5\na TXT ( {}\nb A 192.0.2.1\n", "x\n".repeat(400_000));
    let (records, problems) = read(&long);
    assert_eq!(records.last().map(String::as_str), Some("b.example.com. 5 IN A 192.0.2.1"));
    assert!(problems[0].starts_with("2:7 this parenthesis is never closed"));
    let long = format!("a 5 TXT {}\nb 5 A 192.0.2.1\n", "x".repeat(1_100_000));
    let (records, problems) = read(&long);
    assert_eq!((records.len(), problems.len()), (1, 1));
    assert!(problems[0].contains("longer than"));
}

/// A parenthesis that is never closed, and one that was never opened far below: what stands between are
/// records, not parts of one.
#[test]
fn records_between_two_wrong_parentheses_are_read() {
    let (records, problems) = read(
        "$TTL 5\n\
         @ SOA ns h ( 1 2 3 4 5\n\
         \t; a comment\n\
         a A 192.0.2.1\n\
         b 60 IN TXT \"t\"\n\
         c A 192.0.2.2 )\n\
         d A 192.0.2.3\n",
    );
    assert_eq!(
        records,
        [
            "a.example.com. 5 IN A 192.0.2.1",
            "b.example.com. 60 IN TXT \"t\"",
            "d.example.com. 5 IN A 192.0.2.3",
        ],
        "{problems:#?}"
    );
    let places: Vec<&str> = problems.iter().filter_map(|problem| problem.split(' ').next()).collect();
    assert_eq!(places, ["4:1", "6:15"], "{problems:#?}");
}

/// A file of nothing but open parentheses and records is read in time in proportion to its length, or this
/// does not end.
#[test]
fn many_open_parentheses_are_read_to_the_end() {
    let text = format!("$TTL 5\n{}z A 192.0.2.2\n", "(\na A 192.0.2.1\n".repeat(200_000));
    let (records, problems) = read(&text);
    assert_eq!(records.last().map(String::as_str), Some("z.example.com. 5 IN A 192.0.2.2"));
    assert!(problems.len() > 64);
}

/// What is wrong in a record of several lines is said once: its other lines are no records.
#[test]
fn a_wrong_record_of_several_lines_is_said_once() {
    let (records, problems) = read(
        "$TTL 5\n@ SOA ns a..b (\n 1 ; serial\n 2h ; refresh\n3 4\n5 )\nx TXT ( \"a\\300\"\n\"b\"\n )\ny A 192.0.2.1\n",
    );
    assert_eq!(records, ["y.example.com. 5 IN A 192.0.2.1"]);
    assert_eq!(problems.len(), 2, "{problems:#?}");
}

/// A right record may have a line that looks like another.
#[test]
fn a_right_record_of_several_lines_stays_one() {
    all_right(
        "x 5 TXT (\na\nb A c\n)\ny 5 A 192.0.2.1\n",
        &["x.example.com. 5 IN TXT \"a\" \"b\" \"A\" \"c\"", "y.example.com. 5 IN A 192.0.2.1"],
    );
}

/// A line of anything but what directives read.
fn any_junk() -> impl Strategy<Value = Vec<u8>> {
    let octets = prop::collection::vec(any::<u8>(), 0..40);
    let words = prop::collection::vec(
        prop::sample::select(vec![
            "a",
            "(",
            "(",
            ")",
            ")",
            "\"",
            ";",
            "\\",
            "A",
            "192.0.2.1",
            "5",
            " ",
            "\\300",
            "$",
            "{",
        ]),
        0..10,
    );
    prop_oneof![octets, words.prop_map(|words| words.join(" ").into_bytes())].prop_map(|mut line| {
        line.retain(|octet| !matches!(octet, b'\n' | b'\r'));
        line
    })
}

proptest! {
    /// Lines of junk among right records, whatever is in them: all right records are read, and their places
    /// are right.
    #[test]
    fn no_line_hides_another(lines in prop::collection::vec(prop::option::weighted(0.6, any_junk()), 1..20)) {
        let mut text = Vec::new();
        for (number, line) in (1..).zip(&lines) {
            match line {
                Some(junk) => text.extend_from_slice(junk),
                None => text.extend(format!("n{number}.right.test. 77 IN A 192.0.2.{number}").bytes()),
            }
            text.push(b'\n');
        }
        let read: Vec<u32> = Reader::new("f", Box::new(&text[..]), Options::default())
            .filter_map(Result::ok)
            .filter(|record| name::display(&record.value.name) == format!("n{}.right.test.", record.position.line))
            .map(|record| record.position.line)
            .collect();
        let expected: Vec<u32> = (1..).zip(&lines).filter(|(_, line)| line.is_none()).map(|(number, _)| number).collect();
        prop_assert_eq!(read, expected, "{}", String::from_utf8_lossy(&text));
    }
}
