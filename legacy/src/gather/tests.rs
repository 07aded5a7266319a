use super::*;
use port53_zone::rdata::parse_value;

fn gather() -> Gather {
    Gather::new(Content::empty(apex(), [1; 16]))
}

fn apex() -> Name {
    name::parse_absolute("example.org").expect("a name")
}

fn text(name: &str, value: &str) -> Taken {
    let name = name::parse(name, &apex()).expect("a name");
    Taken { name, rtype: Rtype::TXT, ttl: 60, rdata: parse_value(Rtype::TXT, value).expect("a value") }
}

/// RFC 1035 §4.2.2: an RRset that fits no message is left out, all of it, whenever its records come; its neighbours stay.
#[test]
fn an_rrset_that_fits_no_message_is_left_out_whole() {
    let mut gather = gather();
    for number in 0..100 {
        for name in ["small", "large"].iter().take(if number == 0 { 2 } else { 1 + number % 2 }) {
            let value = format!("{number:03}{}", "x".repeat(if *name == "large" { 4000 } else { 10 }));
            gather.add(text(name, &value)).expect("few are too large");
        }
        if number % 10 == 9 {
            gather.settle().expect("it fits");
        }
    }
    let (content, notes) = gather.finish().expect("it fits");
    assert_eq!(content.len(), 1);
    let small = content.get(&text("small", "").name, Rtype::TXT).expect("it is there");
    assert_eq!(small.values().len(), 100);
    assert_eq!(notes.kept, [Note::TooLarge { name: text("large", "").name, rtype: Rtype::TXT }]);
}

/// RFC 4343: a name is the same in every case, and is spelled as it came first.
#[test]
fn rfc4343_spellings_of_one_name() {
    let mut gather = gather();
    assert!(!gather.add(text("WWW", "a")).expect("new"));
    assert!(!gather.add(text("www", "b")).expect("new"));
    assert!(gather.add(text("wWw", "a")).expect("there"));
    assert!(gather.remove(text("www", "a")));
    assert!(!gather.remove(text("www", "a")));
    let (content, notes) = gather.finish().expect("it fits");
    let rrset = content.get(&text("www", "").name, Rtype::TXT).expect("it is there");
    assert_eq!(name::display(&rrset.name), "WWW.example.org.");
    assert_eq!((rrset.values().len(), notes), (1, Notes::default()));
}

#[test]
fn notes_are_bounded() {
    let mut gather = gather();
    for number in 0..MOST_NOTES + 5 {
        gather.note_left(&apex(), Rtype::A, &[0; 70_000], format!("is number {number}"));
    }
    let (_, notes) = gather.finish().expect("it fits");
    assert_eq!((notes.kept.len(), notes.more), (MOST_NOTES, 5));
    assert!(notes.kept[0].to_string().len() < 300);
}
