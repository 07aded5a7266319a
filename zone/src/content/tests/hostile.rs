//! Octets from a disk or a network may be anything: what is wrong is an error, and what is read is sound.

use super::*;
use crate::content::slice::encode;
use std::cell::Cell;

type Slices = HashMap<Digest, Slice>;

fn read(slices: &Slices, root: Digest) -> Result<Content, ContentError> {
    Content::from_slices(apex(), [1; 16], Some(root), &mut |digest| slices.get(digest).cloned())
}

fn add(slices: &mut Slices, octets: Vec<u8>) -> Digest {
    let slice = Slice(octets.into());
    let digest = slice.digest();
    slices.insert(digest, slice);
    digest
}

/// An inner slice as it is stored: least key, digest and number of RRsets of each child.
fn inner(height: u8, children: &[(&[u8], Digest, u64)]) -> Vec<u8> {
    let mut out = vec![1, height];
    out.extend_from_slice(&(children.len() as u16).to_be_bytes());
    for (key, digest, rrsets) in children {
        out.extend_from_slice(&(key.len() as u16).to_be_bytes());
        out.extend_from_slice(key);
        out.extend_from_slice(digest.octets());
        out.extend_from_slice(&rrsets.to_be_bytes());
    }
    out
}

/// A leaf slice of `data`.
fn leaf(data: &[u8], owned_by: &[u8]) -> Vec<u8> {
    [&[1, 0][..], &(data.len() as u32).to_be_bytes(), data, owned_by].concat()
}

/// An owner entry with one RRset of one record.
fn entry(name: &[u8], rtype: u16, value: &[u8]) -> Vec<u8> {
    let mut out = [&[name.len() as u8][..], name, &[0, 1]].concat();
    crate::content::leaf::write_rrset(&mut out, Rtype::from_int(rtype), 60, [value].into_iter());
    out
}

fn flaw(slices: &Slices, root: Digest) -> &'static str {
    match read(slices, root) {
        Err(ContentError::MalformedSlice { flaw, .. }) => flaw,
        other => panic!("{other:?}"),
    }
}

/// Slices that name one child many times over, sixteen levels high: 200^16 leaves if they were followed.
#[test]
fn slices_that_repeat_themselves_are_refused_at_once() {
    let mut slices = Slices::new();
    let mut child = add(&mut slices, leaf(&entry(b"\x01a", 1, &[0; 4]), &[]));
    for height in 1..=16 {
        child = add(&mut slices, inner(height, &vec![(&b"a\0"[..], child, 1); 200]));
    }
    let fetched = Cell::new(0);
    let result = Content::from_slices(apex(), [1; 16], Some(child), &mut |digest| {
        fetched.set(fetched.get() + 1);
        slices.get(digest).cloned()
    });
    assert!(matches!(result, Err(ContentError::MalformedSlice { .. })));
    assert_eq!(fetched.get(), 17);
}

/// Children whose least keys ascend, and whose ranges overlap all the same.
#[test]
fn ranges_that_overlap_are_refused() {
    let mut slices = Slices::new();
    let wide =
        add(&mut slices, leaf(&[entry(b"\x01a", 1, &[0; 4]), entry(b"\x01z", 1, &[0; 4])].concat(), &[]));
    let inside = add(&mut slices, leaf(&entry(b"\x01b", 1, &[0; 4]), &[]));
    let top = add(&mut slices, inner(1, &[(b"a\0", wide, 2), (b"b\0", inside, 1)]));
    assert_eq!(flaw(&slices, top), "slices out of canonical order");
}

#[test]
fn inner_slices_must_say_what_is_below() {
    let mut slices = Slices::new();
    let a = add(&mut slices, leaf(&entry(b"\x01a", 1, &[0; 4]), &[]));
    let level = add(&mut slices, inner(1, &[(b"a\0", a, 1)]));
    let cases = [
        (inner(1, &[]), "an inner slice of no or too many children"),
        (inner(1, &[(b"b\0", a, 1)]), "a child that is not what its parent says"),
        (inner(1, &[(b"a\0", a, 2)]), "a child that is not what its parent says"),
        (inner(3, &[(b"a\0", level, 1)]), "a slice at the wrong height"),
        (inner(1, &[(b"a\0", level, 1)]), "a slice at the wrong height"),
        (inner(17, &[(b"a\0", level, 1)]), "a slice at the wrong height"),
        ([inner(1, &[(b"a\0", a, 1)]), vec![0]].concat(), "an inner slice of another length than it says"),
        (vec![1], "cut short"),
    ];
    for (octets, expected) in cases {
        let root = add(&mut slices, octets);
        assert_eq!(flaw(&slices, root), expected);
    }
    // A chain is not how we would store it, but it says what it says, and the next edit mends it.
    let content = read(&slices, level).expect("reads");
    let edited = content.apply(&[put("b", Rtype::A, 1, 2)]).expect("applies").content;
    assert_eq!(edited.root(), rebuilt(&edited).root());
    let newer = add(&mut slices, vec![2, 0]);
    assert_eq!(read(&slices, newer).err(), Some(ContentError::UnknownFormat(2)));
}

#[test]
fn leaves_must_be_sound() {
    let good = entry(b"\x01a", 1, &[0; 4]);
    let with = |at: usize, octet: u8| {
        let mut octets = good.clone();
        octets[at] = octet;
        octets
    };
    let long: Vec<u8> = (0..126).flat_map(|_| *b"\x01a").collect();
    let mut soa_value = Vec::from([0, 0]);
    soa_value.extend_from_slice(&[0; 20]);
    let many: Vec<u8> = (0..257).flat_map(|i| entry(format!("\x03{i:03}").as_bytes(), 1, &[0; 4])).collect();
    let endless = [&[63; 1][..], &[b'a'; 63]].concat().repeat(5);
    let cases: [(Vec<u8>, &str); 16] = [
        (Vec::new(), "a leaf without owners"),
        (good[..good.len() - 1].to_vec(), "a leaf cut short"),
        ([&good[..], &good].concat(), "owners out of canonical order"),
        ([&good[..], &entry(b"\x01A", 1, &[0; 4])].concat(), "owners out of canonical order"),
        (with(1, 0), "a label of no or too many octets"),
        (with(1, 2), "a name cut short, or of more than 255 octets"),
        (entry(&long, 1, &[0; 4]), "a name cut short, or of more than 255 octets"),
        (with(4, 0), "an owner of no or too many RRsets"),
        (with(8, 2), "a leaf cut short"),
        (with(8, 0), "an RRset of another length than it says"),
        (with(13, 0xc1), "a record that is not of its set"),
        (with(18, 3), "a record that is not of its set"),
        (entry(b"\x01a", 6, &soa_value), "a SOA, which is kept beside the content"),
        (entry(b"\x01a", 2, b"\x03abc"), "a value without the name that its type has"),
        (entry(b"\x01a", 2, &[&endless[..], &[0]].concat()), "a value without the name that its type has"),
        (many, "a leaf of too many owners"),
    ];
    for (i, (data, expected)) in cases.into_iter().enumerate() {
        let mut slices = Slices::new();
        let root = add(&mut slices, leaf(&data, &[]));
        assert_eq!(flaw(&slices, root), expected, "case {i}");
    }
}

#[test]
fn who_owns_what_has_one_spelling() {
    let data = [entry(b"\x01a", 1, &[0; 4]), entry(b"\x01b", 1, &[0; 4])].concat();
    let cases: [(&[u8], Option<&str>); 8] = [
        (b"\0\x02\0\x01x\0\x01y\0\x01\0\x02", None),
        (b"\0\x01\0\x01x\0\0\0\x01", None),
        (b"\0\x02\0\x01y\0\x01x\0\x01\0\x02", Some("owners that are too long or not in order")),
        (b"\0\x01\0\x01x\0\0\0\0", Some("owners of nothing")),
        (b"\0\0\0\0\0\0", Some("owners of nothing")),
        (b"\0\x01\0\x01x\0\x01\0\x02", Some("an owner that is not listed")),
        (b"\0\x01\0\x01x\0\x01", Some("not one owner for each RRset")),
        (b"\0\x01\0\x01\xff\0\x01\0\x01", Some("an owner that is not UTF-8")),
    ];
    for (owned_by, expected) in cases {
        let mut slices = Slices::new();
        let root = add(&mut slices, leaf(&data, owned_by));
        match expected {
            Some(expected) => assert_eq!(flaw(&slices, root), expected),
            None => assert_eq!(
                encode(read(&slices, root).expect("reads").root.as_ref().expect("a root")),
                slices[&root].0
            ),
        }
    }
}

#[test]
fn a_journal_cut_anywhere_is_an_error() {
    let batch = [
        put("a", Rtype::A, 1, 3),
        put("b", Rtype::NS, 1, 4),
        Change::Remove { name: apex(), rtype: Rtype::A },
    ];
    let octets = journal::encode(&apex(), &batch);
    assert_eq!(journal::decode(&apex(), &octets).as_deref(), Ok(&batch[..]));
    for end in 0..octets.len() {
        assert!(journal::decode(&apex(), &octets[..end]).is_err(), "{end}");
    }
    assert!(journal::decode(&apex(), &[&octets[..], &[0]].concat()).is_err());
}

/// Everything that reads a content, on one whose octets came from elsewhere.
fn use_all(content: &Content) {
    for (rrset, _) in content.iter() {
        assert_eq!(content.get(&rrset.name, rrset.rtype), Some(rrset.clone()));
        let key = SortKey::of_relative(digest::relative(&rrset.name, &apex()));
        assert!(content.neighbours(key.as_slice()).1.is_some());
    }
    let edit = [put("n7", Rtype::A, 1, 1), put("zz", Rtype::NS, 1, 1)];
    let edited = content.apply(&edit).expect("applies").content;
    assert_eq!(edited.digest(), rebuilt(&edited).digest());
    assert!(diff(content, &edited).len() <= 2);
    let slices = slices_of(content);
    assert!(content.root().is_none_or(|root| slices.contains_key(&root)));
    assert!(slices.iter().all(|(digest, slice)| slice.digest() == *digest));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A change of a few octets anywhere in a leaf, with the digests above made to fit.
    #[test]
    fn changed_leaves_are_refused_or_sound(
        which in any::<prop::sample::Index>(),
        patches in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let changes: Vec<Change> = (0..150).map(|i| put(&format!("n{i}"), [Rtype::A, Rtype::NS][i as usize % 2], 60, i)).collect();
        let content = built(&changes);
        let mut slices = slices_of(&content);
        let leaves: Vec<Digest> =
            content.slices().filter(|(_, slice)| slice.0[1] == 0).map(|(digest, _)| digest).collect();
        let victim = *which.get(&leaves);
        let mut octets = slices[&victim].0.to_vec();
        for (at, octet) in patches {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        if let Some(end) = end {
            octets.truncate(end.index(octets.len()));
        }
        let root = content.root().expect("a root");
        let changed = add(&mut slices, octets);
        let root = if root == victim {
            changed
        } else {
            let top = slices[&root].0.to_vec();
            let at = top.windows(32).position(|window| window == victim.octets()).expect("its child");
            add(&mut slices, [&top[..at], changed.octets(), &top[at + 32..]].concat())
        };
        if let Ok(content) = read(&slices, root) {
            prop_assert_eq!(content.root(), Some(root));
            use_all(&content);
        }
    }

    #[test]
    fn any_octets_are_refused_or_sound(octets in prop::collection::vec(any::<u8>(), 0..60), height in 0u8..3) {
        let mut slices = Slices::new();
        let root = add(&mut slices, [&[1, height][..], &octets].concat());
        if let Ok(content) = read(&slices, root) {
            use_all(&content);
        }
        let _ = journal::decode(&apex(), &octets);
    }

    #[test]
    fn changed_journals_are_refused_or_apply(
        patches in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let batch: Vec<Change> = (0..20).map(|i| put(&format!("n{i}"), [Rtype::A, Rtype::NS][i as usize % 2], 60, i)).collect();
        let mut octets = journal::encode(&apex(), &batch);
        for (at, octet) in patches {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        if let Ok(changes) = journal::decode(&apex(), &octets)
            && let Ok(applied) = built(&many(60)).apply(&changes)
        {
            use_all(&applied.content);
            prop_assert_eq!(journal::decode(&apex(), &journal::encode(&apex(), &changes)), Ok(changes));
        }
    }
}
