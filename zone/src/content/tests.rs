//! The tree against what it must be: a function of the content, shared between versions, safe to read.

mod cuts;
mod hostile;

use super::*;
use crate::name;
use crate::rdata::Rdata;
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

fn apex() -> Name {
    name::parse_absolute("example.com").expect("a name")
}

fn a_record(address: u32) -> Rdata {
    Rdata::from_trusted_wire(address.to_be_bytes().to_vec().into())
}

fn put(owner: &str, rtype: Rtype, ttl: u32, address: u32) -> Change {
    let name = name::parse(owner, &apex()).expect("a name");
    let owned_by = address.is_multiple_of(3).then(|| Arc::from(format!("dns/{}", address % 7)));
    let value = match rtype {
        Rtype::A => a_record(address),
        _ => Rdata::from_trusted_wire(
            name::parse(&format!("t{address}"), &apex()).expect("a name").as_slice().to_vec().into(),
        ),
    };
    Change::Put { rrset: RRset::new(name, rtype, ttl, [value]), owner: owned_by }
}

fn many(count: u32) -> Vec<Change> {
    (0..count).map(|i| put(&format!("host-{}", i.wrapping_mul(2_654_435_761)), Rtype::A, 300, i)).collect()
}

fn built(changes: &[Change]) -> Content {
    Content::empty(apex(), [1; 16]).apply(changes).expect("applies").content
}

/// The same content from nothing.
fn rebuilt(content: &Content) -> Content {
    Content::build(apex(), [1; 16], content.iter()).expect("builds")
}

#[test]
fn one_change_costs_its_leaf() {
    let content = built(&many(20_000));
    assert_eq!(content.len(), 20_000);
    let leaves = content.leaves().count();
    assert!((150..400).contains(&leaves), "{leaves}");
    let applied = content.apply(&[put("host-42-new", Rtype::A, 60, 9)]).expect("applies");
    assert!(applied.removed.len() <= 2 && applied.added.len() <= 3);
    let shared =
        applied.content.leaves().filter(|leaf| content.leaves().any(|old| Arc::ptr_eq(old, leaf))).count();
    assert!(shared >= leaves - 2);
    assert_eq!(applied.content.root(), rebuilt(&applied.content).root());
    let back = applied.content.apply(&[Change::Remove {
        name: name::parse("host-42-new", &apex()).expect("a name"),
        rtype: Rtype::A,
    }]);
    let back = back.expect("applies").content;
    assert_eq!((back.root(), back.digest()), (content.root(), content.digest()));
    assert_eq!(diff(&content, &applied.content).len(), 1);
}

#[test]
fn everything_can_go() {
    let changes = many(3_000);
    let content = built(&changes);
    let removals: Vec<Change> = changes
        .iter()
        .map(|change| Change::Remove { name: change.name().clone(), rtype: change.rtype() })
        .collect();
    let empty = content.apply(&removals).expect("applies").content;
    assert!(empty.is_empty());
    assert_eq!((empty.root(), empty.digest()), (None, Content::empty(apex(), [1; 16]).digest()));
}

#[test]
fn what_is_outside_is_refused() {
    let change =
        Change::Remove { name: name::parse_absolute("example.org").expect("a name"), rtype: Rtype::A };
    assert_eq!(
        Content::empty(apex(), [1; 16]).apply(&[change]).err(),
        Some(ContentError::OutOfZone("example.org.".into()))
    );
}

#[test]
fn neighbours_are_found_across_leaves() {
    let content = built(&many(2_000));
    let mut names: Vec<Name> = content.iter().map(|(rrset, _)| rrset.name).collect();
    names.dedup();
    for pair in names.windows(2) {
        let key = SortKey::of_relative(digest::relative(&pair[1], &apex()));
        let (before, after) = content.neighbours(key.as_slice());
        assert_eq!(before.map(|owner| owner.name()), Some(digest::relative(&pair[0], &apex())));
        assert_eq!(after.map(|owner| owner.name()), Some(digest::relative(&pair[1], &apex())));
    }
    let (before, after) = content.neighbours(&[]);
    assert!(before.is_none() && after.is_some());
    assert!(content.neighbours(&[0xff]).1.is_none());
}

fn slices_of(content: &Content) -> HashMap<Digest, Slice> {
    content.slices().collect()
}

#[test]
fn slices_and_back() {
    for count in [0, 1, 50, 10_000] {
        let content = built(&many(count));
        let slices = slices_of(&content);
        let read =
            Content::from_slices(apex(), [1; 16], content.root(), &mut |digest| slices.get(digest).cloned());
        let read = read.expect("reads");
        assert_eq!(
            (read.root(), read.digest(), read.len()),
            (content.root(), content.digest(), count as usize)
        );
        assert!(read.iter().eq(content.iter()));
        let without = content.without_owners();
        assert_eq!(without.digest(), content.digest());
        assert!(without.iter().all(|(_, owner)| owner.is_none()));
    }
}

#[test]
fn a_missing_or_changed_slice_is_noticed() {
    let content = built(&many(500));
    let mut slices = slices_of(&content);
    let victim = content.slices().last().expect("a slice").0;
    slices.insert(victim, Slice(Bytes::from_static(b"\x01\x00\x00\x00\x00\x00")));
    let read = |slices: &HashMap<Digest, Slice>| {
        Content::from_slices(apex(), [1; 16], content.root(), &mut |digest| slices.get(digest).cloned()).err()
    };
    assert_eq!(read(&slices), Some(ContentError::WrongDigest(victim)));
    slices.remove(&victim);
    assert_eq!(read(&slices), Some(ContentError::Missing(victim)));
}

/// Who reads ahead finds all slices by what each names, and none twice.
#[test]
fn slices_name_what_is_below_them() {
    let content = built(&many(20_000));
    let slices = slices_of(&content);
    let mut pending: Vec<Digest> = content.root().into_iter().collect();
    let mut found = HashSet::new();
    while let Some(digest) = pending.pop() {
        assert!(found.insert(digest));
        pending.extend(slices[&digest].children().expect("a slice"));
    }
    assert_eq!(found.len(), slices.len());
    let inner = slices.values().find(|slice| slice.0[1] > 0).expect("an inner slice");
    for end in 0..inner.0.len() {
        assert!(Slice(inner.0.slice(..end)).children().is_err());
    }
}

/// A newer version may be stricter about values; what is published all the same goes on being read.
#[test]
fn values_that_are_refused_today_stay_readable() {
    let name = name::parse("a", &apex()).expect("a name");
    let values = [(Rtype::CAA, &b"\x00\x00x"[..]), (Rtype::A, b"\x01"), (Rtype::LOC, b"\x01")];
    for (rtype, wire) in values {
        assert!(crate::rdata::from_wire(rtype, wire.into()).is_err());
        let value = Rdata::from_trusted_wire(wire.into());
        let changes = [Change::Put { rrset: RRset::new(name.clone(), rtype, 5, [value]), owner: None }];
        let journal = journal::encode(&apex(), &changes);
        assert_eq!(journal::decode(&apex(), &journal).as_deref(), Ok(&changes[..]));
        let (content, slices) = (built(&changes), slices_of(&built(&changes)));
        let read =
            Content::from_slices(apex(), [1; 16], content.root(), &mut |digest| slices.get(digest).cloned());
        assert_eq!(read.expect("reads").digest(), content.digest());
    }
}

/// A change among few enough names that they meet.
fn any_change() -> impl Strategy<Value = Change> {
    let label = prop_oneof![
        (0u32..400).prop_map(|i| format!("n{i}")),
        (0u32..30).prop_map(|i| format!("a.n{i}")),
        Just("\\000.x".to_owned()),
        Just("\\255\\001".to_owned()),
        Just("@".to_owned()),
        Just("Upper.Case".to_owned()),
        Just("upper.CASE".to_owned()),
        Just("a.*.b.*".to_owned()),
    ];
    let rtype = prop_oneof![Just(Rtype::A), Just(Rtype::NS), Just(Rtype::DNAME)];
    (label, rtype, 0u32..5, any::<u32>(), any::<bool>()).prop_map(|(label, rtype, ttl, address, remove)| {
        match put(&label, rtype, ttl, address) {
            Change::Put { rrset, .. } if remove => Change::Remove { name: rrset.name, rtype },
            change => change,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However a content came about, it is the content built from nothing: tree, digest, counts.
    #[test]
    fn the_tree_is_a_function_of_the_content(
        batches in prop::collection::vec(prop::collection::vec(any_change(), 1..120), 1..12)
    ) {
        let mut content = Content::empty(apex(), [1; 16]);
        for batch in &batches {
            let next = content.apply(batch).expect("applies").content;
            let differences = diff(&content, &next);
            let changes: Vec<Change> = differences.into_iter().map(Difference::into_change).collect();
            prop_assert_eq!(content.apply(&changes).expect("applies").content.digest(), next.digest());
            let read = journal::decode(&apex(), &journal::encode(&apex(), batch));
            prop_assert_eq!(read.as_ref(), Ok(batch));
            content = next;
        }
        let again = rebuilt(&content);
        prop_assert_eq!(content.root(), again.root());
        prop_assert_eq!(content.digest(), again.digest());
        prop_assert_eq!(&content.counts, &again.counts);
        let slices = slices_of(&content);
        let read = Content::from_slices(apex(), [1; 16], content.root(), &mut |digest| slices.get(digest).cloned());
        prop_assert_eq!(&read.expect("reads").counts, &again.counts);
        prop_assert!(content.iter().eq(again.iter()));
        let cuts = content.iter().filter(|(rrset, _)| rrset.rtype == Rtype::NS && rrset.name != apex()).count();
        prop_assert_eq!((0..128).map(|i| content.counts.cuts.at(i) as usize).sum::<usize>(), cuts);
    }
}
