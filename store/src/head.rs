//! Heads: what is published of a zone, and the checkpoint that it builds on.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kube::core::ObjectMeta;
use port53_crds::{Checkpoint as CheckpointFields, HeadState};
use port53_crds::{
    HeadDualWrite, Holder, MAX_JOURNAL, PublishedSoa, ZoneHead, ZoneHeadSpec, head_name, revision_name,
};
use port53_zone::content::{Change, Content, Digest, journal};
use port53_zone::transfer::Allow;
use port53_zone::{Name, Soa, name};

use crate::intent::{self, Intent};
use crate::{Forwarding, StoreError};

/// What a head says.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// The zone.
    pub apex: Name,
    /// The Zone object that holds it.
    pub holder: Holder,
    /// Whether it is served.
    pub state: HeadState,
    /// The SOA, with the serial that is published.
    pub soa: Soa,
    /// Of the whole content at that serial.
    pub digest: Digest,
    /// RRsets at that serial, the SOA not counted.
    pub rrsets: u64,
    /// The version that the journal builds on.
    pub checkpoint: Checkpoint,
    /// The changes since.
    pub journal: Vec<Change>,
    /// The serial of the revision that the zone is pinned to.
    pub pinned: Option<u32>,
    /// Who may transfer the zone.
    pub transfer: Vec<Allow>,
    /// Who answers while the zone moves here; nothing where every nameserver does.
    pub forwarding: Option<Forwarding>,
    /// What is on its way to a legacy DNS and here; nothing where changes are published whatever legacy has.
    pub intents: Option<Vec<Intent>>,
}

/// A version that is stored as slices.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// Its serial.
    pub serial: u32,
    /// Its top slice; nothing when the zone has nothing but its SOA.
    pub root: Option<Digest>,
    /// Of its whole content.
    pub digest: Digest,
    /// What salts the cuts.
    pub salt: [u8; 16],
    /// The ZoneRevision that keeps it.
    pub revision: String,
}

impl Checkpoint {
    /// The checkpoint that `content` is with `serial`.
    pub fn of(content: &Content, serial: u32) -> Self {
        Checkpoint {
            serial,
            root: content.root(),
            digest: content.digest(),
            salt: content.salt(),
            revision: revision_name(&head_object_name(content.apex()), serial),
        }
    }
}

/// The name of the head of a zone.
pub fn head_object_name(apex: &Name) -> String {
    head_name(&domain(apex))
}

/// A zone as the resources name it: without the last dot, but for the root.
pub(crate) fn domain(apex: &Name) -> String {
    let text = name::display(apex);
    if apex.is_root() { text } else { text[..text.len() - 1].to_owned() }
}

impl Head {
    /// Whether a change is on its way to a legacy DNS and here.
    pub fn has_intents(&self) -> bool {
        self.intents.as_ref().is_some_and(|intents| !intents.is_empty())
    }

    /// The name of the object.
    pub fn name(&self) -> String {
        head_object_name(&self.apex)
    }

    /// The changes since the checkpoint as octets; nothing when they are more than a head holds.
    pub fn encoded_journal(apex: &Name, changes: &[Change]) -> Option<Vec<u8>> {
        let octets = journal::encode(apex, changes);
        (octets.len() <= MAX_JOURNAL).then_some(octets)
    }

    /// The object, without a resourceVersion. A journal of more than [`MAX_JOURNAL`] octets is not taken by
    /// an API server: see [`Head::encoded_journal`].
    pub fn to_object(&self, namespace: &str) -> ZoneHead {
        let journal = journal_text(&self.apex, &self.journal);
        let Checkpoint { serial, root, digest, salt, revision } = &self.checkpoint;
        ZoneHead {
            metadata: metadata(namespace, self.name()),
            spec: ZoneHeadSpec {
                domain: domain(&self.apex),
                zone_ref: self.holder.clone(),
                state: self.state,
                serial: self.soa.serial,
                soa: published_soa(&self.soa),
                digest: self.digest.to_string(),
                rrsets: self.rrsets,
                checkpoint: CheckpointFields {
                    serial: *serial,
                    root: root.map(|root| root.to_string()),
                    digest: digest.to_string(),
                    salt: hex(salt),
                    revision: revision.clone(),
                },
                journal,
                pinned: self.pinned,
                transfer: self.transfer.iter().map(Allow::to_string).collect(),
                forwarding: self.forwarding.as_ref().map(Forwarding::to_fields),
                dual_write: self.intents.as_ref().map(|intents| HeadDualWrite {
                    intents: intents.iter().map(|intent| intent.to_fields(&self.apex)).collect(),
                }),
            },
        }
    }

    /// Reads what an object says.
    ///
    /// # Errors
    /// With the field that cannot be, or when the object has the name of another zone's head.
    pub fn read(object: &ZoneHead) -> Result<Self, StoreError> {
        let spec = &object.spec;
        let apex = read_name("spec.domain", &spec.domain)?;
        let expected = head_object_name(&apex);
        let name = object.metadata.name.clone().unwrap_or_default();
        if name != expected {
            return Err(StoreError::Name { name, expected });
        }
        let checkpoint = Checkpoint {
            serial: spec.checkpoint.serial,
            root: read_root("spec.checkpoint.root", spec.checkpoint.root.as_deref())?,
            digest: read_digest("spec.checkpoint.digest", &spec.checkpoint.digest)?,
            salt: read_salt("spec.checkpoint.salt", &spec.checkpoint.salt)?,
            revision: spec.checkpoint.revision.clone(),
        };
        let journal = read_journal("spec.journal", &apex, &spec.journal)?;
        Ok(Head {
            holder: spec.zone_ref.clone(),
            state: spec.state,
            soa: read_soa(&spec.soa, spec.serial)?,
            digest: read_digest("spec.digest", &spec.digest)?,
            rrsets: spec.rrsets,
            checkpoint,
            journal,
            pinned: spec.pinned,
            transfer: read_allowed(&spec.transfer)?,
            forwarding: spec.forwarding.as_ref().map(Forwarding::read).transpose()?,
            intents: spec.dual_write.as_ref().map(|fields| intent::read(&apex, fields)).transpose()?,
            apex,
        })
    }

    /// The content that is published, from that of the checkpoint.
    ///
    /// # Errors
    /// When the journal does not fit it, or makes another content than the head says.
    pub fn content(&self, checkpoint: &Content) -> Result<Content, StoreError> {
        let content = match &self.journal[..] {
            [] => checkpoint.clone(),
            changes => checkpoint.apply(changes).map_err(StoreError::Journal)?.content,
        };
        if content.digest() == self.digest { Ok(content) } else { Err(StoreError::WrongDigest) }
    }
}

/// Changes as they stand in an object: nothing for none.
pub(crate) fn journal_text(apex: &Name, changes: &[Change]) -> String {
    match changes {
        [] => String::new(),
        changes => BASE64_STANDARD.encode(journal::encode(apex, changes)),
    }
}

pub(crate) fn read_journal(field: &'static str, apex: &Name, text: &str) -> Result<Vec<Change>, StoreError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let octets = BASE64_STANDARD
        .decode(text)
        .map_err(|error| StoreError::field(field, format!("no base64: {error}")))?;
    journal::decode(apex, &octets).map_err(StoreError::Journal)
}

pub(crate) fn metadata(namespace: &str, name: String) -> ObjectMeta {
    ObjectMeta { name: Some(name), namespace: Some(namespace.to_owned()), ..ObjectMeta::default() }
}

pub(crate) fn published_soa(soa: &Soa) -> PublishedSoa {
    PublishedSoa {
        primary: name::display(&soa.primary),
        contact: name::display(&soa.contact),
        refresh: soa.refresh,
        retry: soa.retry,
        expire: soa.expire,
        minimum: soa.minimum,
        ttl: soa.ttl,
    }
}

pub(crate) fn read_soa(soa: &PublishedSoa, serial: u32) -> Result<Soa, StoreError> {
    Ok(Soa {
        primary: read_name("spec.soa.primary", &soa.primary)?,
        contact: read_name("spec.soa.contact", &soa.contact)?,
        serial,
        refresh: soa.refresh,
        retry: soa.retry,
        expire: soa.expire,
        minimum: soa.minimum,
        ttl: soa.ttl,
    })
}

pub(crate) fn read_name(field: &'static str, text: &str) -> Result<Name, StoreError> {
    name::parse_absolute(text).map_err(|error| StoreError::field(field, format!("\"{text}\" {error}")))
}

fn read_allowed(texts: &[String]) -> Result<Vec<Allow>, StoreError> {
    let read = |text: &String| {
        let field = |what| StoreError::field("spec.transfer", format!("\"{text}\" {what}"));
        text.parse().map_err(field)
    };
    texts.iter().map(read).collect()
}

pub(crate) fn read_digest(field: &'static str, text: &str) -> Result<Digest, StoreError> {
    Digest::parse(text).ok_or_else(|| StoreError::field(field, format!("\"{text}\" is not a digest")))
}

pub(crate) fn hex(octets: &[u8; 16]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

pub(crate) fn read_root(field: &'static str, root: Option<&str>) -> Result<Option<Digest>, StoreError> {
    root.map(|root| read_digest(field, root)).transpose()
}

pub(crate) fn read_salt(field: &'static str, text: &str) -> Result<[u8; 16], StoreError> {
    unhex(text).ok_or_else(|| StoreError::field(field, "not 32 hexadecimal digits"))
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return None;
    }
    Some(u128::from_str_radix(text, 16).ok()?.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{read_slice, slice_object};
    use port53_zone::{RRset, Rtype, rdata};
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn apex(text: &str) -> Name {
        name::parse_absolute(text).expect("a name")
    }

    fn rrset(apex: &Name, host: u16, value: u8) -> RRset {
        let owner = name::parse(&format!("h{host}"), apex).expect("a name");
        let value = rdata::parse_value(Rtype::A, &format!("192.0.2.{value}")).expect("a value");
        RRset::new(owner, Rtype::A, 60, [value])
    }

    fn soa(apex: &Name, serial: u32) -> Soa {
        let (primary, contact) = (apex.clone(), name::parse("a\\.b", apex).expect("a name"));
        Soa { primary, contact, serial, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 }
    }

    fn intent(apex: &Name) -> Intent {
        let new = Change::Put { rrset: rrset(apex, 1, 2), owner: Some("dns/www".into()) };
        let old = Change::Remove { name: new.name().clone(), rtype: Rtype::A };
        let (name, way) = (new.name().clone(), port53_crds::Way::Forward);
        Intent { name, way, new: vec![new], old: vec![old], legacy_serial: Some(3) }
    }

    fn head(base: &Content, changes: Vec<Change>) -> (Head, Content) {
        let content = base.apply(&changes).expect("applies").content;
        let head = Head {
            apex: base.apex().clone(),
            holder: Holder { namespace: "dns".to_owned(), name: "zone".to_owned() },
            state: HeadState::Serving,
            soa: soa(base.apex(), 8),
            digest: content.digest(),
            rrsets: content.len() as u64,
            checkpoint: Checkpoint::of(base, 7),
            journal: changes,
            pinned: None,
            transfer: vec!["192.0.2.0/24".parse().expect("one"), "key:xfr.example".parse().expect("one")],
            forwarding: Some(Forwarding::to("192.0.2.53:53".parse().expect("an address"))),
            intents: Some(vec![intent(base.apex())]),
        };
        (head, content)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        /// What the operator writes is what a resolver reads, slices and all.
        #[test]
        fn what_is_written_is_read(
            hosts in prop::collection::btree_map(0u16..3000, any::<u8>(), 0..600),
            edits in prop::collection::vec((0u16..3000, any::<u8>()), 0..20),
            root in any::<bool>(),
        ) {
            let apex = if root { name::root() } else { apex("_x.example.com") };
            let owner: std::sync::Arc<str> = "dns/www".into();
            let rrsets = hosts.iter().map(|(&host, &value)| (rrset(&apex, host, value), Some(owner.clone())));
            let base = Content::build(apex.clone(), [9; 16], rrsets).expect("a content");
            let changes = edits
                .into_iter()
                .map(|(host, value)| Change::Put { rrset: rrset(&apex, host, value), owner: Some(owner.clone()) })
                .collect();
            let (head, content) = head(&base, changes);
            let object = head.to_object("port53");
            let slices: HashMap<String, _> = base
                .slices()
                .map(|(digest, slice)| (digest.to_string(), slice_object("port53", &digest, &slice)))
                .collect();

            let read = Head::read(&object).expect("a head");
            prop_assert_eq!(&read, &head);
            let mut fetch = |digest: &Digest| Some(read_slice(slices.get(&digest.to_string())?).ok()?.1);
            let checkpoint = &read.checkpoint;
            let stored = Content::from_slices(apex, checkpoint.salt, checkpoint.root, &mut fetch).expect("whole");
            let published = read.content(&stored).expect("the published content");
            prop_assert!(published.iter().eq(content.iter()));
        }

        /// Whatever stands in a head, it is read or refused, never worse.
        #[test]
        fn any_journal_is_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let base = Content::empty(apex("example.com"), [1; 16]);
            let mut object = head(&base, Vec::new()).0.to_object("port53");
            object.spec.journal = BASE64_STANDARD.encode(octets);
            if let Ok(head) = Head::read(&object) {
                let _ = head.content(&base);
            }
        }
    }

    #[test]
    fn an_edit_by_hand_is_noticed() {
        let apex = apex("example.com");
        let base = Content::empty(apex.clone(), [1; 16]);
        let put = Change::Put { rrset: rrset(&apex, 1, 1), owner: None };
        let (head, _) = head(&base, vec![put]);
        let refused = |edit: fn(&mut ZoneHead)| {
            let mut object = head.to_object("port53");
            edit(&mut object);
            Head::read(&object).and_then(|head| head.content(&base)).expect_err("it is noticed").to_string()
        };
        assert_eq!(refused(|o| o.spec.journal.clear()), StoreError::WrongDigest.to_string());
        assert!(refused(|o| o.spec.journal.push('!')).starts_with("spec.journal: no base64"));
        assert!(refused(|o| o.spec.checkpoint.root = Some("x".into())).starts_with("spec.checkpoint.root: "));
        assert!(refused(|o| o.metadata.name = Some("example.org".into())).starts_with("metadata.name: "));
        assert!(refused(|o| o.spec.domain = "a..b".into()).starts_with("spec.domain: "));
    }
}
