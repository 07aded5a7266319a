//! Assembling: what is published of a zone, read when its head is seen for the first time.
//!
//! The head names a checkpoint and says what changed since. Where a slice of it is lost, or the head itself cannot be
//! read, the newest revision that can be is taken for what is published: so the guard counts against it, and who
//! owns what is known. Only without any the zone is built from its objects alone.
//!
//! A first attempt is waited for before anything is planned. What cannot be had for now is tried again, and nothing is
//! said or changed of that zone until it is known; the others go on without it.

use std::time::{Duration, Instant};

use port53_client::jittered;
use port53_client::slices::Slices;
use port53_crds::{HeadState, Holder, Zone};
use port53_store::{Head, Revision};
use port53_zone::content::{Content, Digest};
use port53_zone::{Name, Soa, name};

use super::heads::Found;
use super::version::Stored;
use super::zone::{Restore, Work, ZoneState};
use super::{Engine, planning};
use crate::objects::ObjectRef;
use crate::stages::Published;

/// Between attempts to read what cannot be had for now.
const RETRY: Duration = Duration::from_secs(3);

/// What of a zone is being read.
#[derive(Debug)]
pub(crate) struct Assembly {
    /// The resourceVersion of the head, where there is one.
    version: Option<String>,
    source: Source,
    /// Whether an attempt failed: nobody waits for it.
    is_delayed: bool,
}

/// How far it is.
#[derive(Debug)]
pub(crate) enum Reading {
    /// It waits until revisions are listed.
    Waiting(Box<Assembly>),
    /// A job reads it: the content below this slice, where that is known. Nobody waits for one that is delayed.
    UnderWay { root: Option<Digest>, is_delayed: bool },
}

/// Where it is read from.
#[derive(Debug)]
enum Source {
    Head(Box<Head>),
    /// The revisions that are kept, once they are listed.
    Revisions {
        state: HeadState,
    },
}

/// An attempt that ended.
pub(super) struct Ended {
    apex: Name,
    assembly: Assembly,
    result: Result<Option<Box<Stored>>, Lost>,
}

/// Why content cannot be had.
#[derive(Debug)]
enum Lost {
    /// It may go better another time.
    ForNow(String),
    /// Something is missing, or is not what it says.
    ForGood(String),
}

impl Engine {
    /// Reads what is published of a zone.
    pub(super) fn assemble(&mut self, apex: &Name, found: Found) {
        if let Some(zone) = self.zones.get_mut(apex) {
            zone.serials.extend(found.serial);
        }
        let Found { version, state, .. } = found;
        let assembly = |source| Assembly { version: Some(version), source, is_delayed: false };
        match found.head {
            Ok(head) => self.attempt(apex, assembly(Source::Head(Box::new(head))), Duration::ZERO),
            // What cannot be read may still say that the zone is out of service.
            Err(why) => {
                let why = format!("its ZoneHead cannot be read: {why}");
                self.assemble_from_revisions(apex, assembly(Source::Revisions { state }), &why);
            }
        }
    }

    /// Takes up what another operator has published of a zone that is known. Nobody waits for it: until it is read the
    /// version before counts.
    pub(super) fn follow(&mut self, apex: &Name, found: Found) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let Ok(head) = &found.head else { return self.assemble(apex, found) };
        // Most versions add to the checkpoint of the one before.
        if let Some(stored) = &zone.stored
            && head.state == HeadState::Serving
            && stored.head.state == HeadState::Serving
            && stored.head.checkpoint == head.checkpoint
            && let Ok(content) = head.content(&stored.base)
        {
            let stored = Stored { head: head.clone(), content, base: stored.base.clone() };
            zone.version = Some(found.version);
            return self.is_assembled(apex, stored);
        }
        let source = Source::Head(Box::new(head.clone()));
        self.attempt(
            apex,
            Assembly { version: Some(found.version), source, is_delayed: true },
            Duration::ZERO,
        );
    }

    /// Whether a zone of which no head says that it serves, although its Zone was never deleted, is being read from its
    /// revisions: these are older than the Zone only if it is another than they were made for.
    pub(super) fn is_salvaged(&mut self, apex: &Name, zone: &Zone) -> bool {
        let Some(state) = self.zones.get_mut(apex) else { return false };
        if std::mem::replace(&mut state.is_salvaged, true) {
            return false;
        }
        let newest = self.index.revisions_of(apex).map(|stored| stored.created).max();
        let created = crate::objects::created(&zone.metadata);
        let is_its_own = newest.zip(created).is_some_and(|(newest, created)| created <= newest);
        if !is_its_own || zone.metadata.deletion_timestamp.is_some() {
            return false;
        }
        let serial = state.serial();
        state.serials.extend(serial);
        let version = state.version.clone();
        let why =
            if version.is_some() { "its ZoneHead was made to say Withdrawn" } else { "its ZoneHead is gone" };
        let source = Source::Revisions { state: HeadState::Serving };
        self.assemble_from_revisions(apex, Assembly { version, source, is_delayed: false }, why);
        true
    }

    /// The revisions are listed: zones may be waiting for them.
    pub(super) fn revisions_are_listed(&mut self) {
        let waiting: Vec<Name> = self
            .zones
            .iter()
            .filter(|(_, zone)| matches!(&zone.work, Work::Assembling(Reading::Waiting(_))))
            .map(|(apex, _)| apex.clone())
            .collect();
        for apex in waiting {
            let work = self.zones.get_mut(&apex).map(|zone| std::mem::replace(&mut zone.work, Work::Idle));
            if let Some(Work::Assembling(Reading::Waiting(assembly))) = work {
                self.attempt(&apex, *assembly, Duration::ZERO);
            }
        }
    }

    fn assemble_from_revisions(&mut self, apex: &Name, assembly: Assembly, why: &str) {
        tracing::error!("zone {}: {why}; its newest revision is taken instead", name::display(apex));
        if self.index.revisions.is_whole() {
            return self.attempt(apex, assembly, Duration::ZERO);
        }
        if let Some(zone) = self.zones.get_mut(apex) {
            zone.work = Work::Assembling(Reading::Waiting(Box::new(assembly)));
        }
    }

    fn attempt(&mut self, apex: &Name, assembly: Assembly, after: Duration) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let root = match &assembly.source {
            Source::Head(head) => head.checkpoint.root,
            Source::Revisions { .. } => None,
        };
        zone.work = Work::Assembling(Reading::UnderWay { root, is_delayed: assembly.is_delayed });
        let mut revisions = Vec::new();
        if matches!(assembly.source, Source::Revisions { .. }) {
            let mut of_zone: Vec<_> = self.index.revisions_of(apex).collect();
            of_zone.sort_by_key(|stored| std::cmp::Reverse((stored.created, stored.revision.soa.serial)));
            revisions = of_zone.into_iter().map(|stored| stored.revision.clone()).collect();
        }
        let (reader, apex) = (self.store.reader.clone(), apex.clone());
        self.jobs.spawn(async move {
            tokio::time::sleep(after).await;
            let result = match &assembly.source {
                Source::Head(head) => of_head(&reader, head).await.map(Some),
                Source::Revisions { state } => of_newest(&reader, revisions, *state).await,
            };
            super::Ended::Assemble(Ended { apex, assembly, result })
        });
    }

    pub(super) fn assemble_ended(&mut self, Ended { apex, assembly, result }: Ended) {
        let Some(zone) = self.zones.get_mut(&apex) else { return };
        let stored = match result {
            Ok(stored) => stored,
            Err(Lost::ForNow(why)) => return self.assemble_later(&apex, assembly, &why),
            Err(Lost::ForGood(why)) => {
                let source = Source::Revisions { state: state_of(&assembly.source) };
                let why = format!("what its ZoneHead says cannot be read: {why}");
                return self.assemble_from_revisions(&apex, Assembly { source, ..assembly }, &why);
            }
        };
        zone.work = Work::Idle;
        zone.version = assembly.version;
        zone.is_stored_wrong = matches!(assembly.source, Source::Revisions { .. });
        if assembly.is_delayed && self.leads {
            // What was not said of it is to be said.
            self.published.remove(&apex);
            self.statuses.look_at_all();
        }
        match stored {
            Some(stored) => {
                if let Source::Revisions { .. } = assembly.source {
                    let (serial, zone) = (stored.head.soa.serial, name::display(&apex));
                    tracing::warn!("serial {serial} of {zone} is taken for what is published");
                    self.zones.entry(apex.clone()).and_modify(|zone| zone.restore = Restore::HigherSerial);
                }
                self.is_assembled(&apex, *stored);
            }
            None => tracing::error!(
                "no revision of {} can be read: it is published again from its objects",
                name::display(&apex)
            ),
        }
        self.plan.heard(Instant::now());
        self.hear_what_was_told(&apex);
    }

    fn is_assembled(&mut self, apex: &Name, stored: Stored) {
        let Some(zone) = self.zones.get_mut(apex) else { return };
        let is_serving = stored.head.state == HeadState::Serving;
        match is_serving {
            true => drop(self.published.insert(apex.clone(), planning::published(&stored))),
            false => drop(self.published.remove(apex)),
        }
        zone.stored = Some(stored);
        if is_serving {
            self.confirm(apex);
        }
    }

    fn assemble_later(&mut self, apex: &Name, assembly: Assembly, why: &str) {
        tracing::warn!(
            "zone {} cannot be read, and is tried again; it is served as it is meanwhile: {why}",
            name::display(apex)
        );
        if let Some((holder, soa)) = self.holds(apex, &assembly) {
            // Who holds the domain is known, whatever is in it.
            let content = Content::empty(apex.clone(), crate::salt());
            let holder = ObjectRef::Zone { namespace: holder.namespace, name: holder.name };
            self.published.insert(apex.clone(), Published { holder, content, soa });
        }
        self.attempt(apex, Assembly { is_delayed: true, ..assembly }, jittered(RETRY));
        self.plan.heard(Instant::now());
    }

    fn holds(&self, apex: &Name, assembly: &Assembly) -> Option<(Holder, Soa)> {
        match &assembly.source {
            Source::Head(head) => Some((head.holder.clone(), head.soa.clone())),
            Source::Revisions { .. } => {
                let newest = self.index.revisions_of(apex).max_by_key(|stored| stored.created);
                newest.map(|stored| (stored.revision.holder.clone(), stored.revision.soa.clone()))
            }
        }
    }

    /// Whether what is published of a zone is not known yet.
    pub(super) fn is_unknown(&self, apex: &Name) -> bool {
        self.zones.get(apex).is_some_and(ZoneState::is_unknown)
    }

    /// Zones of which it is not known what is published, in canonical order.
    pub(super) fn unknown_zones(&self) -> Vec<Name> {
        let unknown = self.zones.iter().filter(|(_, zone)| zone.is_unknown());
        unknown.map(|(apex, _)| apex.clone()).collect()
    }
}

impl ZoneState {
    fn is_unknown(&self) -> bool {
        matches!(self.work, Work::Assembling(_))
    }

    /// Whether everything waits until it is known what is published of it.
    pub(super) fn is_waited_for(&self) -> bool {
        match &self.work {
            Work::Assembling(Reading::Waiting(assembly)) => !assembly.is_delayed,
            Work::Assembling(Reading::UnderWay { is_delayed, .. }) => !is_delayed,
            _ => false,
        }
    }

    /// The top slice of what is being read.
    pub(super) fn root_under_way(&self) -> Option<Digest> {
        match &self.work {
            Work::Assembling(Reading::UnderWay { root, .. }) => *root,
            _ => None,
        }
    }
}

/// What a head says.
async fn of_head(reader: &Slices, head: &Head) -> Result<Box<Stored>, Lost> {
    let head = head.clone();
    if head.state == HeadState::Withdrawn {
        let nothing = Content::empty(head.apex.clone(), head.checkpoint.salt);
        return Ok(Box::new(Stored { head, content: nothing.clone(), base: nothing }));
    }
    let base = reader.content(head.apex.clone(), head.checkpoint.clone(), None).await;
    let base = base.map_err(|error| match error.is_passing() {
        true => Lost::ForNow(error.to_string()),
        false => Lost::ForGood(error.to_string()),
    })?;
    let content = head.content(&base).map_err(|error| Lost::ForGood(error.to_string()))?;
    Ok(Box::new(Stored { head, content, base }))
}

/// What the first revision says that can be read.
async fn of_newest(
    reader: &Slices,
    newest_first: Vec<Revision>,
    state: HeadState,
) -> Result<Option<Box<Stored>>, Lost> {
    for revision in newest_first {
        let Revision { apex, holder, soa, checkpoint, rrsets, .. } = revision;
        let digest = checkpoint.digest;
        let head = Head {
            apex,
            holder,
            state,
            soa,
            digest,
            rrsets,
            checkpoint,
            journal: Vec::new(),
            pinned: None,
            transfer: Vec::new(),
            forwarding: None,
            intents: None,
        };
        match of_head(reader, &head).await {
            Ok(stored) => return Ok(Some(stored)),
            Err(Lost::ForGood(why)) => {
                let (serial, zone) = (head.soa.serial, name::display(&head.apex));
                tracing::warn!("serial {serial} of {zone} cannot be read: {why}");
            }
            Err(lost) => return Err(lost),
        }
    }
    Ok(None)
}

fn state_of(source: &Source) -> HeadState {
    match source {
        Source::Head(head) => head.state,
        Source::Revisions { state } => *state,
    }
}
