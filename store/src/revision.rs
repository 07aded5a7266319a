//! Revisions: checkpoints that are kept.

use port53_crds::{Holder, ZoneRevision, ZoneRevisionSpec};
use port53_zone::content::Content;
use port53_zone::{Name, Soa};

use crate::head::{
    Checkpoint, domain, hex, metadata, published_soa, read_digest, read_name, read_root, read_salt, read_soa,
};
use crate::{StoreError, head_object_name};

/// What a revision says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revision {
    /// The zone.
    pub apex: Name,
    /// The Zone object that held it.
    pub holder: Holder,
    /// The SOA, with the serial.
    pub soa: Soa,
    /// The content. Its revision is this one.
    pub checkpoint: Checkpoint,
    /// RRsets, the SOA not counted.
    pub rrsets: u64,
    /// Octets of the slices that were stored for it.
    pub octets: u64,
}

impl Revision {
    /// The revision of `content`. `octets` are those of the slices that were stored for it.
    pub fn of(content: &Content, soa: Soa, holder: Holder, octets: u64) -> Self {
        Revision {
            apex: content.apex().clone(),
            holder,
            checkpoint: Checkpoint::of(content, soa.serial),
            rrsets: content.len() as u64,
            soa,
            octets,
        }
    }

    /// The object.
    pub fn to_object(&self, namespace: &str) -> ZoneRevision {
        let Checkpoint { root, digest, salt, revision, .. } = &self.checkpoint;
        ZoneRevision {
            metadata: metadata(namespace, revision.clone()),
            spec: ZoneRevisionSpec {
                domain: domain(&self.apex),
                zone_ref: self.holder.clone(),
                serial: self.soa.serial,
                soa: published_soa(&self.soa),
                root: root.map(|root| root.to_string()),
                digest: digest.to_string(),
                salt: hex(salt),
                rrsets: self.rrsets,
                octets: self.octets,
            },
        }
    }

    /// Reads what an object says.
    ///
    /// # Errors
    /// With the field that cannot be, or when the object has the name of another revision.
    pub fn read(object: &ZoneRevision) -> Result<Self, StoreError> {
        let spec = &object.spec;
        let apex = read_name("spec.domain", &spec.domain)?;
        let name = object.metadata.name.clone().unwrap_or_default();
        let expected = port53_crds::revision_name(&head_object_name(&apex), spec.serial);
        if name != expected {
            return Err(StoreError::Name { name, expected });
        }
        Ok(Revision {
            holder: spec.zone_ref.clone(),
            soa: read_soa(&spec.soa, spec.serial)?,
            checkpoint: Checkpoint {
                serial: spec.serial,
                root: read_root("spec.root", spec.root.as_deref())?,
                digest: read_digest("spec.digest", &spec.digest)?,
                salt: read_salt("spec.salt", &spec.salt)?,
                revision: name,
            },
            rrsets: spec.rrsets,
            octets: spec.octets,
            apex,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use port53_zone::{RRset, Rtype, name, rdata};

    #[test]
    fn what_is_written_is_read_and_another_name_is_noticed() {
        let apex = name::parse_absolute("0/25.example.com").expect("a name");
        let value = rdata::parse_value(Rtype::A, "192.0.2.1").expect("a value");
        let www = RRset::new(name::parse("www", &apex).expect("a name"), Rtype::A, 60, [value]);
        let content = Content::build(apex.clone(), [3; 16], [(www, None)]).expect("a content");
        let (primary, contact) = (apex.clone(), apex);
        let soa = Soa { primary, contact, serial: 9, refresh: 1, retry: 2, expire: 3, minimum: 4, ttl: 5 };
        let holder = Holder { namespace: "dns".to_owned(), name: "zone".to_owned() };
        let revision = Revision::of(&content, soa, holder, 77);
        let mut object = revision.to_object("port53");
        assert_eq!(Revision::read(&object).as_ref(), Ok(&revision));
        object.spec.serial = 8;
        assert!(matches!(Revision::read(&object), Err(StoreError::Name { .. })));
    }
}
