//! What is published of a zone: its head over its checkpoint, and the versions that are kept.

use kube::ResourceExt;
use kube::api::ListParams;
use port53_client::explain;
use port53_crds::ZoneRevision;
use port53_store::{Checkpoint, Head, Revision};
use port53_zone::content::Content;
use port53_zone::{Name, Soa};

use super::zones::Found;
use super::{Cluster, field_is};
use crate::judge::zone_text;

/// How often what is published is read anew because it was pruned while it was read.
const ATTEMPTS: u32 = 4;

/// A version of a zone.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) soa: Soa,
    pub(crate) content: Content,
}

/// A version that is kept, without its content.
pub(crate) struct Kept {
    pub(crate) revision: Revision,
    /// When it was made.
    pub(crate) created: Option<k8s_openapi::jiff::Timestamp>,
}

impl Cluster {
    /// What is published of a zone, as the head says it now. The head comes with it.
    ///
    /// # Errors
    /// When nothing is, or it cannot be read.
    pub(crate) async fn published(&self, found: &Found) -> Result<(Head, Version), String> {
        let mut head = found.head()?.clone();
        for attempt in 1.. {
            let content = self.slices.content(head.apex.clone(), head.checkpoint.clone(), None).await;
            match content {
                Ok(content) => {
                    let content = head.content(&content).map_err(|error| {
                        format!("the head of {} is broken: {error}: the operator restores it", found.domain())
                    })?;
                    let soa = head.soa.clone();
                    return Ok((head, Version { soa, content }));
                }
                Err(error) => {
                    let now = self.head(&found.apex).await?;
                    // Slices go once no head names them: then there is a newer one.
                    match now {
                        Some(now) if now.checkpoint != head.checkpoint && attempt < ATTEMPTS => head = now,
                        _ => return Err(format!("{} cannot be read: {error}", found.domain())),
                    }
                }
            }
        }
        unreachable!("the attempts end in an error")
    }

    /// The kept versions of a zone, newest first, and those that are there and cannot be read.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub(crate) async fn kept(&self, found: &Found) -> Result<(Vec<Kept>, Vec<String>), String> {
        let domain = zone_text(&found.apex);
        let params = ListParams::default().fields(&field_is("spec.domain", &domain));
        let objects = self.list(&self.of_operator::<ZoneRevision>(), &params).await;
        let objects = objects.map_err(|error| {
            format!("the versions in namespace {}: {}", self.operator_namespace, explain(&error))
        })?;
        let (mut kept, mut unread) = (Vec::new(), Vec::new());
        for object in &objects {
            match Revision::read(object) {
                Ok(revision) => {
                    kept.push(Kept { revision, created: object.creation_timestamp().map(|time| time.0) })
                }
                Err(error) => unread.push(format!("ZoneRevision {}: {error}", object.name_any())),
            }
        }
        // Serials go up on a circle (RFC 1982), so they are ordered by how far they are behind the newest.
        let published = found.head.as_ref().ok().and_then(Option::as_ref).map(|head| head.soa.serial);
        let newest = published
            .or_else(|| kept.iter().max_by_key(|kept| kept.created).map(|kept| kept.revision.soa.serial));
        kept.sort_by_key(|kept| newest.unwrap_or_default().wrapping_sub(kept.revision.soa.serial));
        Ok((kept, unread))
    }

    /// The content of a checkpoint. What `known` shares with it is not read again.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn content(
        &self,
        apex: &Name,
        checkpoint: &Checkpoint,
        known: Option<&Content>,
    ) -> Result<Content, String> {
        let content = self.slices.content(apex.clone(), checkpoint.clone(), known.cloned()).await;
        content.map_err(|error| {
            format!("version {} of {} cannot be read: {error}", checkpoint.serial, zone_text(apex))
        })
    }

    /// A version of a zone by its serial: a kept one, or what is published.
    ///
    /// # Errors
    /// When there is none, with those that there are.
    pub(crate) async fn version(&self, found: &Found, serial: u32) -> Result<Version, String> {
        let (kept, _) = self.kept(found).await?;
        if let Some(kept) = kept.iter().find(|kept| kept.revision.soa.serial == serial) {
            let content = self.content(&found.apex, &kept.revision.checkpoint, None).await?;
            return Ok(Version { soa: kept.revision.soa.clone(), content });
        }
        match &found.head {
            Ok(Some(head)) if head.soa.serial == serial => Ok(self.published(found).await?.1),
            _ => Err(self.not_kept(found, serial, &kept).await),
        }
    }

    /// Why a kept version cannot be read, and never will be.
    pub(crate) async fn lost(&self, found: &Found, kept: &Kept) -> Option<String> {
        let content = self.slices.content(found.apex.clone(), kept.revision.checkpoint.clone(), None).await;
        content.err().filter(|error| !error.is_passing()).map(|error| error.to_string())
    }

    /// That a serial is not kept, and which are: those that can be read apart from those that cannot.
    pub(crate) async fn not_kept(&self, found: &Found, serial: u32, kept: &[Kept]) -> String {
        let (mut there, mut lost) = (Vec::new(), Vec::new());
        let mut known: Option<Content> = None;
        // What a version shares with the one before it is read once.
        for kept in kept.iter().rev() {
            let checkpoint = kept.revision.checkpoint.clone();
            let serial = kept.revision.soa.serial.to_string();
            match self.slices.content(found.apex.clone(), checkpoint, known.clone()).await {
                Ok(content) => {
                    known = Some(content);
                    there.insert(0, serial);
                }
                // It is not known to be lost.
                Err(error) if error.is_passing() => there.insert(0, serial),
                Err(_) => lost.insert(0, serial),
            }
        }
        let there =
            if there.is_empty() { "none is".to_owned() } else { format!("kept are {}", there.join(", ")) };
        let lost = match lost.is_empty() {
            true => String::new(),
            false => format!("; {} cannot be read, for slices of it are lost", lost.join(", ")),
        };
        format!("version {serial} of {} is not kept: {there}{lost}", found.domain())
    }
}
