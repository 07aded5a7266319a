//! Names of objects: `example-com` for the zone example.com, `www-a.example-com` for its www of type A.
//!
//! A name is for people to find, and it must be the same each time, or applying an import again would make
//! every record a second time. So it depends on the zone, the owner and the type alone, never on what else
//! is in the zone. It carries the zone, for zones share namespaces. Most owners can be written as they are,
//! in lower case, dots and all; the apex is `apex`, a wildcard `*.shop` is `wildcard-shop`. Where
//! something is lost, a character replaced or the end cut off, another owner could come to the same text:
//! then, and only then, a digest of owner and type follows, `dmarc-txt-x2k5mzvq.example-com`. An owner that
//! is spelled like the text of something else, a host called apex, counts as such a one.
//!
//! In the name of a Zone hyphens stand for dots, if the domain has no hyphens of its own; if it has, the
//! dots stay: `example-co-uk`, but `my-shop.co.uk`.

use port53_zone::{Name, RRset, Rtype, name, rdata};
use sha2::{Digest, Sha256};

/// The longest name of an object.
const LONGEST: usize = 253;
/// The longest name of a Zone here, so that those of its records have room beside it.
const LONGEST_OF_ZONE: usize = 190;
/// Characters of a digest, 5 bits each.
const DIGEST: usize = 8;
/// Characters of a digest where the short one is taken.
const LONG_DIGEST: usize = 26;

/// Text for an object's name, and whether it stands for one domain name only.
struct Text {
    text: String,
    is_unique: bool,
}

/// The name of the Zone of a domain.
pub(super) fn of_zone(apex: &Name) -> String {
    if apex.is_root() {
        return "root".to_owned();
    }
    let labels = labels_of(apex, apex.label_count() - 1);
    let has_hyphen = labels.iter().any(|label| label.text.contains('-'));
    let is_alone = labels.len() == 1;
    let text = join(&labels, if has_hyphen { "." } else { "-" });
    let is_unique =
        labels.iter().all(|label| label.is_unique) && !(is_alone && (has_hyphen || text == "root"));
    if is_unique && text.len() <= LONGEST_OF_ZONE {
        return text;
    }
    let digest = digest(apex, Rtype::SOA, DIGEST);
    format!("{}-{digest}", cut(&text, LONGEST_OF_ZONE - DIGEST - 1))
}

/// Names for the DNSRecord of an RRset, the first of which is meant. The other is for the case that its
/// digest is that of another owner.
pub(super) fn of_record(rrset: &RRset, apex: &Name, zone: &str) -> [String; 2] {
    let owner = of_owner(&rrset.name, apex);
    // A hyphen in the type would leave open where the owner ends.
    let rtype = rdata::display_rtype(rrset.rtype).to_ascii_lowercase().replace('-', "");
    let with_digest = |length: usize| {
        let end = format!("-{rtype}-{}.{zone}", digest(&rrset.name, rrset.rtype, length));
        format!("{}{end}", cut(&owner.text, LONGEST - end.len()))
    };
    let short = format!("{}-{rtype}.{zone}", owner.text);
    if owner.is_unique && short.len() <= LONGEST {
        return [short, with_digest(LONG_DIGEST)];
    }
    [with_digest(DIGEST), with_digest(LONG_DIGEST)]
}

fn of_owner(owner: &Name, apex: &Name) -> Text {
    if owner == apex {
        return Text { text: "apex".to_owned(), is_unique: true };
    }
    let mut labels = labels_of(owner, owner.label_count() - apex.label_count());
    let wildcard = if owner.first().as_slice() == b"*" {
        labels.remove(0);
        if labels.is_empty() { "wildcard" } else { "wildcard-" }
    } else {
        ""
    };
    let text = join(&labels, ".");
    let is_like_another = wildcard.is_empty() && (text == "apex" || is_like_wildcard(&text))
        || labels.iter().rev().skip(1).any(|label| ends_in_type(&label.text));
    let is_unique = labels.iter().all(|label| label.is_unique) && !is_like_another;
    let text = format!("{wildcard}{text}");
    Text { text: if text.is_empty() { "name".to_owned() } else { text }, is_unique }
}

fn is_like_wildcard(text: &str) -> bool {
    text.strip_prefix("wildcard").is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
}

/// Whether a label could be the last of an owner with its type, with the name of a zone after it.
fn ends_in_type(label: &str) -> bool {
    label.rsplit_once('-').is_some_and(|(_, end)| rdata::parse_rtype(end).is_some())
}

fn labels_of(name: &Name, count: usize) -> Vec<Text> {
    name.iter().take(count).map(|label| of_label(label.as_slice())).collect()
}

/// A label in lower case, with what an object's name may not have replaced.
fn of_label(label: &[u8]) -> Text {
    let replaced = |octet: &u8| match octet.to_ascii_lowercase() {
        octet @ (b'a'..=b'z' | b'0'..=b'9') => char::from(octet),
        _ => '-',
    };
    let text: String = label.iter().map(replaced).collect();
    let text = text.trim_matches('-').to_owned();
    let is_unique = text.as_bytes().eq_ignore_ascii_case(label);
    Text { text, is_unique }
}

fn join(labels: &[Text], separator: &str) -> String {
    let texts: Vec<&str> =
        labels.iter().map(|label| label.text.as_str()).filter(|text| !text.is_empty()).collect();
    texts.join(separator)
}

/// At most `length` characters, the last of them one that an object's name may have before a hyphen.
fn cut(text: &str, length: usize) -> &str {
    let end = text.len().min(length);
    let text = text[..end].trim_end_matches(['-', '.']);
    if text.is_empty() { "name" } else { text }
}

/// So many characters of a digest of owner and type, in the alphabet of base32 (RFC 4648 §6).
fn digest(owner: &Name, rtype: Rtype, length: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(owner.as_slice().to_ascii_lowercase());
    hash.update(rtype.to_int().to_be_bytes());
    let octets = hash.finalize();
    let bit = |at: usize| usize::from(octets[at / 8] >> (7 - at % 8) & 1);
    let digit = |at: usize| (0..5).fold(0, |value, i| value * 2 + bit(at * 5 + i));
    (0..length).map(|at| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[digit(at)])).collect()
}

/// The owner as `spec.name`: relative to the zone, unless that would be taken for a slip.
pub(super) fn spec_name(owner: &Name, apex: &Name) -> String {
    let relative = name::display_relative(owner, apex);
    // foo.example.com in example.com: absolute, or it would be asked whether the last dot was forgotten.
    let is_doubtful = !name::is_absolute(&relative)
        && relative != "@"
        && name::parse_absolute(&relative).is_ok_and(|meant| meant.ends_with(apex));
    let text = if is_doubtful { name::display(owner) } else { relative };
    match text.strip_prefix('*') {
        Some(rest) if rest.is_empty() || rest.starts_with('.') => format!("*{}", without_asterisks(rest)),
        _ => without_asterisks(&text),
    }
}

/// A name as text whose asterisks are ordinary characters, and say so.
pub(super) fn without_asterisks(text: &str) -> String {
    text.replace('*', "\\042")
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::rdata::parse_value;

    fn name(text: &str) -> Name {
        name::parse_absolute(text).expect("a name")
    }

    fn record(owner: &str, apex: &str, rtype: Rtype) -> String {
        let apex = name(apex);
        let value = parse_value(Rtype::A, "192.0.2.1").expect("a value");
        let rrset = RRset::new(name::parse(owner, &apex).expect("a name"), rtype, 1, [value]);
        let [meant, _] = of_record(&rrset, &apex, &of_zone(&apex));
        meant
    }

    #[test]
    fn zones_are_named_after_their_domains() {
        for (domain, expected) in [
            (".", "root"),
            ("com", "com"),
            ("example.com", "example-com"),
            ("EXAMPLE.co.UK.", "example-co-uk"),
            ("my-shop.co.uk", "my-shop.co.uk"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"),
        ] {
            assert_eq!(of_zone(&name(domain)), expected, "{domain}");
        }
    }

    #[test]
    fn zones_that_lose_something_in_their_names_have_a_digest() {
        let lost = [
            "root",
            "my-shop",
            "_x.example",
            "x.example\\000",
            "0/25.2.0.192.in-addr.arpa",
            "a-.b",
            "a.-b",
            "\\000",
        ];
        let names: Vec<String> = lost.iter().map(|domain| of_zone(&name(domain))).collect();
        for (domain, name) in lost.iter().zip(&names) {
            let (_, digest) = name.rsplit_once('-').expect(domain);
            assert_eq!(digest.len(), DIGEST, "{domain}: {name}");
        }
        assert!(names[4].starts_with("0-25.2.0.192.in-addr.arpa-"), "{}", names[4]);
    }

    #[test]
    fn records_are_named_after_owner_and_type() {
        for (owner, rtype, expected) in [
            ("www", Rtype::A, "www-a.example-com"),
            ("WWW", Rtype::AAAA, "www-aaaa.example-com"),
            ("@", Rtype::MX, "apex-mx.example-com"),
            ("*", Rtype::A, "wildcard-a.example-com"),
            ("*.shop", Rtype::CNAME, "wildcard-shop-cname.example-com"),
            ("a.b-c", Rtype::from_int(65280), "a.b-c-type65280.example-com"),
            ("nsap", Rtype::from_int(23), "nsap-nsapptr.example-com"),
        ] {
            assert_eq!(record(owner, "example.com", rtype), expected, "{owner}");
        }
        assert_eq!(record("com", ".", Rtype::NS), "com-ns.root");
    }

    #[test]
    fn owners_that_could_be_taken_for_others_have_a_digest() {
        for (owner, start) in [
            ("_dmarc", "dmarc-a-"),
            ("_sip._tcp", "sip.tcp-a-"),
            ("apex", "apex-a-"),
            ("wildcard", "wildcard-a-"),
            ("wildcard.shop", "wildcard.shop-a-"),
            ("wildcard-shop", "wildcard-shop-a-"),
            ("\\000", "name-a-"),
            ("a\\.b", "a-b-a-"),
            ("a-", "a-a-"),
            ("foo.*", "foo-a-"),
            // Beside www of type A in a zone called shop-mx.example-com.
            ("www-a.shop", "www-a.shop-a-"),
        ] {
            let name = record(owner, "example.com", Rtype::A);
            let digest = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(".example-com"));
            assert_eq!(digest.map(str::len), Some(DIGEST), "{owner}: {name}");
        }
        assert_eq!(record("_DMARC", "example.com", Rtype::TXT), record("_dmarc", "example.com", Rtype::TXT));
    }

    #[test]
    fn names_of_objects_are_never_too_long() {
        let long = "a23456789.".repeat(25);
        assert_eq!(of_zone(&name(&long)).len(), LONGEST_OF_ZONE);
        let record = record("www", &long, Rtype::A);
        assert!(record.len() <= LONGEST, "{record}");
        let record = super::tests::record(&long[..239], "example.com", Rtype::NSEC3PARAM);
        assert!(record.len() <= LONGEST && record.ends_with(".example-com"), "{record}");
    }

    #[test]
    fn names_in_specs_are_read_as_they_are_meant() {
        let apex = name("example.com");
        for (owner, expected) in [
            ("example.com", "@"),
            ("www.example.com", "www"),
            ("*.shop.example.com", "*.shop"),
            ("a.*.b*.example.com", "a.\\042.b\\042"),
            ("*.*.example.com", "*.\\042"),
            ("www.example.com.example.com", "www.example.com.example.com."),
            ("\\@.example.com", "\\@"),
        ] {
            let owner = name(owner);
            let text = spec_name(&owner, &apex);
            assert_eq!(text, expected);
            assert_eq!(name::parse(&text, &apex), Ok(owner));
        }
        assert_eq!(spec_name(&name("com"), &name::root()), "com.");
    }
}
