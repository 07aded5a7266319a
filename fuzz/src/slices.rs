//! Slices and journals, as they come from an API server or a disk: anything. What is not right is refused;
//! what is taken says the same when it is encoded again.
//!
//! An input is slices, each with two octets of length before it. A digest inside of them that is not the name
//! of one is taken to mean one of them, so that a fuzzer can build trees without finding SHA-256.

use bytes::Bytes;
use port53_zone::content::journal::{decode, encode};
use port53_zone::content::{Content, Digest, Slice};
use port53_zone::{Name, name};
use std::collections::BTreeMap;

/// Slices that are read, the longest work of an input.
const SLICES: usize = 64;

/// Runs one input.
///
/// # Panics
/// When what was taken does not hold.
pub fn run(input: &[u8]) {
    let apex = name::parse_absolute("example.com.").expect("a name");
    journal(&apex, input);
    let slices = split(input);
    let Some(first) = slices.first() else { return };
    // The last is the top one; the names of those before it are what it can hold.
    let mut named: BTreeMap<Digest, Slice> = BTreeMap::new();
    let mut names: Vec<Digest> = Vec::new();
    for octets in &slices {
        let slice = Slice(Bytes::from(with_names(octets, &names)));
        names.push(slice.digest());
        named.insert(slice.digest(), slice);
    }
    let one = Slice(Bytes::from(first.clone()));
    let _ = (one.height(), one.children());
    for root in names {
        content(&apex, root, &named);
    }
}

fn content(apex: &Name, root: Digest, slices: &BTreeMap<Digest, Slice>) {
    let fetch = &mut |digest: &Digest| slices.get(digest).cloned();
    let Ok(content) = Content::from_slices(apex.clone(), [7; 16], Some(root), fetch) else { return };
    let mut count = 0;
    for (rrset, _) in content.iter() {
        count += 1;
        assert!(rrset.name.ends_with(apex));
        let found = content.get(&rrset.name, rrset.rtype).expect("what is listed is found");
        assert_eq!(found.values(), rrset.values());
    }
    assert_eq!(count, content.len());
    // What it writes is read again, and is the same.
    let written: BTreeMap<Digest, Slice> = content.slices().collect();
    let fetch = &mut |digest: &Digest| written.get(digest).cloned();
    let again = Content::from_slices(apex.clone(), [7; 16], content.root(), fetch).expect("it is read again");
    assert_eq!(again.digest(), content.digest());
    // Built from nothing, it says the same.
    let built = Content::build(apex.clone(), [7; 16], content.iter()).expect("it is built");
    assert_eq!(built.digest(), content.digest());
}

fn journal(apex: &Name, input: &[u8]) {
    let Ok(changes) = decode(apex, input) else { return };
    if let Ok(applied) = Content::empty(apex.clone(), [7; 16]).apply(&changes) {
        let again = decode(apex, &encode(apex, &changes)).expect("it is read again");
        let other = Content::empty(apex.clone(), [7; 16]).apply(&again).expect("and applied");
        assert_eq!(applied.content.digest(), other.content.digest());
    }
}

fn split(mut input: &[u8]) -> Vec<Vec<u8>> {
    let mut slices = Vec::new();
    while slices.len() < SLICES
        && let Some((length, rest)) = input.split_first_chunk::<2>()
    {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        slices.push(rest[..length].to_vec());
        input = &rest[length..];
    }
    slices
}

/// `@@@@` and an octet, and 27 more, are the name of an earlier slice.
fn with_names(octets: &[u8], names: &[Digest]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    let mut at = 0;
    while at + 32 <= octets.len() {
        if octets[at..].starts_with(b"@@@@")
            && let Some(name) = names.get(usize::from(octets[at + 4]) % names.len().max(1))
        {
            octets[at..at + 32].copy_from_slice(name.octets());
            at += 32;
        } else {
            at += 1;
        }
    }
    octets
}
