//! Where leaves end, and what an edit touches.

use super::*;
use crate::content::limits::GREATEST_OWNERS;

fn owner_name(octets: &[u8]) -> Name {
    let mut wire = vec![octets.len() as u8];
    wire.extend_from_slice(octets);
    wire.extend_from_slice(apex().as_slice());
    Name::from_octets(wire.into()).expect("a name")
}

fn put_named(name: Name, address: u32) -> Change {
    Change::Put { rrset: RRset::new(name, Rtype::A, 300, [a_record(address)]), owner: None }
}

fn remove(change: &Change) -> Change {
    Change::Remove { name: change.name().clone(), rtype: change.rtype() }
}

/// The owners of each leaf.
fn sizes(content: &Content) -> Vec<usize> {
    content.leaves().map(|leaf| leaf.owner_count()).collect()
}

/// The rule as the module of the tree states it, applied to all owners at once.
fn sizes_by_the_rule(content: &Content) -> Vec<usize> {
    let cut = Cut { salt: content.salt, height: 0 };
    let (mut sizes, mut count, mut octets) = (Vec::new(), 0, 0);
    for entry in content.leaves().flat_map(|leaf| leaf.entries().collect::<Vec<_>>()) {
        let key = SortKey::of_relative(OwnerRef::at_start_of(&entry).name());
        (count, octets) = (count + 1, octets + entry.len());
        if cut.is_after(&key, count, octets) {
            sizes.push(count);
            (count, octets) = (0, 0);
        }
    }
    sizes.extend((count > 0).then_some(count));
    sizes
}

/// Nodes of `after`, of all heights, that are not nodes of `before`.
fn new_nodes(before: &Content, after: &Content) -> usize {
    let all = |content: &Content| {
        let (mut all, mut stack): (Vec<Node>, Vec<Node>) =
            (Vec::new(), content.root.iter().cloned().collect());
        while let Some(node) = stack.pop() {
            if let Node::Inner(inner) = &node {
                stack.extend(inner.children.iter().map(|child| child.node.clone()));
            }
            all.push(node);
        }
        all
    };
    let pointer = |node: &Node| match node {
        Node::Leaf(leaf) => Arc::as_ptr(leaf).cast::<()>(),
        Node::Inner(inner) => Arc::as_ptr(inner).cast::<()>(),
    };
    let old: std::collections::HashSet<_> = all(before).iter().map(pointer).collect();
    all(after).iter().filter(|node| !old.contains(&pointer(node))).count()
}

#[test]
fn leaves_end_where_the_rule_says() {
    let content = built(&many(20_000));
    assert_eq!(sizes(&content), sizes_by_the_rule(&content));
    let sizes = sizes(&content);
    let (last, others) = sizes.split_last().expect("leaves");
    assert!(others.iter().all(|size| (32..=256).contains(size)) && *last <= 256);
    assert!(matches!(&content.root, Some(Node::Inner(inner)) if inner.height == 2));
}

/// Each edit makes one leaf and one node a level, or as many more as the cuts that it takes away or adds.
#[test]
fn an_edit_of_one_value_makes_one_node_a_level() {
    let changes = many(20_000);
    let content = built(&changes);
    for change in changes.iter().step_by(1_999) {
        let edit = put_named(change.name().clone(), 0x0a00_0001);
        let applied = content.apply(&[edit]).expect("applies");
        assert_eq!((applied.removed.len(), applied.added.len()), (1, 1));
        assert_eq!(new_nodes(&content, &applied.content), 3);
    }
    let again = content.apply(&changes[..50]).expect("applies");
    assert_eq!((again.removed.len(), again.added.len(), new_nodes(&content, &again.content)), (0, 0, 0));
}

#[test]
fn one_address_takes_less_than_fifty_octets() {
    let content = built(
        &(0..20_000u32).map(|i| put_named(owner_name(format!("h{i:08}").as_bytes()), i)).collect::<Vec<_>>(),
    );
    let each = content.memory_octets() as f64 / content.len() as f64;
    assert!((40.0..50.0).contains(&each), "{each}");
}

/// Nobody who does not know the salt finds names that no hash cuts between, but the tree must be right.
#[test]
fn without_cuts_by_hash_leaves_end_at_the_greatest_number() {
    let cut = Cut { salt: [1; 16], height: 0 };
    let changes: Vec<Change> = many(6_000)
        .into_iter()
        .filter(|change| {
            let key = SortKey::of_relative(digest::relative(change.name(), &apex()));
            !cut.is_after(&key, 200, 0)
        })
        .collect();
    let content = built(&changes);
    assert!(sizes(&content).iter().rev().skip(1).all(|&size| size == GREATEST_OWNERS));
    let first = put_named(owner_name(b"\0"), 1);
    let all_moved = content.apply(std::slice::from_ref(&first)).expect("applies");
    assert_eq!(all_moved.content.root(), rebuilt(&all_moved.content).root());
    let back = all_moved.content.apply(&[remove(&first)]).expect("applies").content;
    assert_eq!((back.root(), sizes(&back)), (content.root(), sizes(&content)));
}

#[test]
fn large_owners_end_a_leaf() {
    let large = |i: u32| {
        let value = |n: u8| Rdata::from_trusted_wire(vec![n; 30_000].into());
        let rtype = Rtype::from_int(65_280);
        let name = owner_name(format!("large{i}").as_bytes());
        Change::Put { rrset: RRset::new(name, rtype, 1, [value(1), value(2)]), owner: None }
    };
    let content = built(&(0..10).map(large).collect::<Vec<_>>());
    assert_eq!(sizes(&content), [2; 5]);
    let fewer = content.apply(&[remove(&large(3))]).expect("applies").content;
    assert_eq!((sizes(&fewer), fewer.root()), (vec![2, 2, 2, 2, 1], rebuilt(&fewer).root()));
}

/// RFC 4343 §3: case is kept and does not count.
#[test]
fn a_name_keeps_its_first_spelling_until_its_last_rrset_goes() {
    let spelled = |content: &Content| {
        content.iter().map(|(rrset, _)| name::display_relative(&rrset.name, &apex())).collect::<Vec<_>>()
    };
    let content = built(&[put("Www", Rtype::A, 1, 1)]);
    let content = content.apply(&[put("WWW", Rtype::NS, 1, 1)]).expect("applies").content;
    assert_eq!(spelled(&content), ["Www", "Www"]);
    assert_eq!(content.digest(), built(&[put("www", Rtype::A, 1, 1), put("www", Rtype::NS, 1, 1)]).digest());
    let gone = [remove(&put("www", Rtype::A, 1, 1)), remove(&put("www", Rtype::NS, 1, 1))];
    let again = content.apply(&[&gone[..], &[put("wwW", Rtype::A, 1, 1)]].concat()).expect("applies").content;
    assert_eq!(spelled(&again), ["wwW"]);
    let rrset = again.get(&name::parse("wWw", &apex()).expect("a name"), Rtype::A);
    assert!(rrset.is_some_and(|rrset| rrset.ttl == 1));
}

#[test]
fn what_does_not_fit_is_an_error_and_changes_nothing() {
    let content = built(&many(3));
    let name = || name::parse("x", &apex()).expect("a name");
    let of = |rtype, octets: usize| {
        RRset::new(name(), rtype, 1, [Rdata::from_trusted_wire(vec![0; octets].into())])
    };
    let error = |rrset: RRset, owner: Option<Arc<str>>| {
        content.apply(&[put("y", Rtype::A, 1, 1), Change::Put { rrset, owner }]).err()
    };
    let (raw, on) = (Rtype::from_int(65_280), "x.example.com. ");
    assert_eq!(error(of(Rtype::SOA, 30), None), Some(ContentError::Soa("x.example.com.".into())));
    assert_eq!(
        error(of(raw, 65_535 - 11), None),
        Some(ContentError::TooLarge { rrset: format!("{on}TYPE65280"), octets: 65_536 })
    );
    assert_eq!(error(of(raw, 65_535 - 12), None), None);
    assert_eq!(
        error(of(Rtype::A, 4), Some("o".repeat(4_097).into())),
        Some(ContentError::LongOwner(format!("{on}A")))
    );
}

/// What a batch of edits aims at in a zone of many: single owners, runs of neighbours, new names.
#[derive(Clone, Debug)]
enum Aim {
    Remove(usize, usize),
    Put(usize, u32),
    New(Vec<u8>, u32),
}

fn any_aim() -> impl Strategy<Value = Aim> {
    prop_oneof![
        (0usize..10_000, 1usize..3).prop_map(|(at, run)| Aim::Remove(at, run)),
        (0usize..10_000, 20usize..900).prop_map(|(at, run)| Aim::Remove(at, run)),
        (0usize..10_000, any::<u32>()).prop_map(|(at, address)| Aim::Put(at, address)),
        (prop::collection::vec(any::<u8>(), 1..6), any::<u32>()).prop_map(|(name, n)| Aim::New(name, n)),
    ]
}

fn changes_of(content: &Content, aims: &[Aim]) -> Vec<Change> {
    let names: Vec<Name> = content.iter().map(|(rrset, _)| rrset.name).collect();
    let at = |i: usize| names.get(i % names.len().max(1)).cloned();
    let changes = aims.iter().flat_map(|aim| match aim {
        Aim::Remove(first, run) => (*first..first + run)
            .filter_map(at)
            .map(|name| Change::Remove { name, rtype: Rtype::A })
            .collect(),
        Aim::Put(i, address) => at(*i).map(|name| put_named(name, *address)).into_iter().collect(),
        Aim::New(name, address) => vec![put_named(owner_name(name), *address)],
    });
    changes.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// With several nodes at every height: an edit gives the tree that a build from nothing gives, and says
    /// which leaves went and came.
    #[test]
    fn edits_of_a_large_tree_end_in_the_tree_of_a_build(
        seed in 0u32..1_000,
        count in 2_000u32..9_000,
        batches in prop::collection::vec(prop::collection::vec(any_aim(), 1..6), 1..5),
    ) {
        let names = (0..count).map(|i| (i ^ seed).wrapping_mul(2_654_435_761).to_be_bytes());
        let base: Vec<Change> = names.enumerate().map(|(i, name)| put_named(owner_name(&name), i as u32)).collect();
        let mut content = built(&base);
        for aims in &batches {
            let applied = content.apply(&changes_of(&content, aims)).expect("applies");
            let mut expected: Vec<Arc<Leaf>> = content.leaves().cloned().collect();
            expected.retain(|leaf| !applied.removed.iter().any(|gone| Arc::ptr_eq(gone, leaf)));
            prop_assert_eq!(expected.len() + applied.removed.len(), content.leaves().count());
            expected.extend(applied.added.iter().cloned());
            expected.sort_by_key(|leaf| SortKey::of_relative(leaf.owner(0).expect("an owner").name()));
            prop_assert!(expected.iter().map(Arc::as_ptr).eq(applied.content.leaves().map(Arc::as_ptr)));
            content = applied.content;
        }
        let again = rebuilt(&content);
        prop_assert_eq!(content.root(), again.root());
        prop_assert_eq!((content.digest(), content.len()), (again.digest(), again.len()));
        prop_assert_eq!(sizes(&content), sizes_by_the_rule(&content));
    }

    /// A leaf finds what it holds in any case, and nothing else.
    #[test]
    fn a_leaf_finds_its_owners(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..4), 1..200)) {
        let changes: Vec<Change> = labels.iter().map(|label| put_named(owner_name(label), 1)).collect();
        let content = built(&changes);
        for leaf in content.leaves() {
            for owner in leaf.owners() {
                let found = leaf.find(&owner.name().to_ascii_uppercase()).expect("is there");
                prop_assert_eq!(found.name(), owner.name());
                prop_assert!(leaf.find(&[owner.name(), b"\x01x"].concat()).is_none());
            }
        }
    }
}
