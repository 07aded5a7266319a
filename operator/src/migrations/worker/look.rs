//! Looking at legacy: its serial, what is new, and whether that can be believed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use port53_crds::{ACCEPT_ANNOTATION, COMPARE_ANNOTATION, Reason, ZoneMigration, parse_duration};
use port53_legacy::{Limits, Outcome, Server, Transferred};

use super::super::doubt::{Size, doubt};
use super::super::merge::{Changed, apart};
use super::super::sending::said;
use super::super::unheld::Unheld;
use super::super::{LEGACY_ADDRESSES, address, writing};
use super::{Turn, Worker, annotation};

/// How long a key is good for that was read.
const KEY_IS_GOOD: Duration = Duration::from_secs(30);

impl Worker {
    /// What a person asked to have compared now.
    pub(super) fn request(&self, migration: &ZoneMigration) -> Option<String> {
        let request = annotation(migration, COMPARE_ANNOTATION);
        request.filter(|request| Some(*request) != self.compared.as_deref()).map(str::to_owned)
    }

    /// Asks legacy for its serial when that is due, and for what is new.
    pub(super) async fn look(&mut self, turn: &Turn, is_requested: bool) {
        let now = Instant::now();
        let is_due = self.polled.is_none_or(|polled| now >= polled + self.poll_interval(&turn.migration));
        if !is_due && !is_requested {
            return;
        }
        self.polled = Some(now);
        let interval =
            parse_duration(&turn.migration.spec.compare.interval).unwrap_or(Duration::from_secs(300));
        let is_whole_due = is_requested || self.transferred.is_none_or(|at| now >= at + interval);
        self.look_once(turn, is_whole_due).await;
    }

    /// Looks at legacy now: at all of it, or at what is new.
    pub(super) async fn look_once(&mut self, turn: &Turn, is_whole: bool) {
        match self.look_at_legacy(turn, is_whole).await {
            Ok(()) => {
                self.legacy = Some(Ok(()));
                self.memory.looked();
            }
            Err(trouble) => {
                // Perhaps another is in its Secret by now.
                self.key = None;
                self.legacy = Some(Err(trouble));
            }
        }
    }

    async fn look_at_legacy(&mut self, turn: &Turn, is_whole_due: bool) -> Result<(), (Reason, String)> {
        let server = self.server(&turn.migration).await?;
        let apex = &turn.scope.apex;
        let soa = server.soa(apex).await.map_err(said)?;
        let known = self.theirs.as_ref().filter(|theirs| theirs.soa.serial == soa.serial);
        if known.is_some() && !is_whole_due && self.doubt.is_none() {
            return Ok(());
        }
        let salt = turn.ours.salt();
        let may_be_part = !is_whole_due && self.doubt.is_none() && self.unheld.is_empty();
        let since = self.theirs.as_ref().filter(|_| may_be_part);
        let asked = Instant::now();
        let transferred = match since {
            None => Some(server.transfer(apex, salt).await.map_err(said)?),
            Some(theirs) => match server.transfer_since(theirs).await {
                // What is left out of a part is known whole from the whole alone.
                Ok(Some(part)) if !part.notes.kept.is_empty() => {
                    Some(server.transfer(apex, salt).await.map_err(said)?)
                }
                Ok(transferred) => transferred,
                // It cannot tell what changed, or not rightly: the whole is always right.
                Err(trouble) if trouble.outcome() == Outcome::Final => {
                    Some(server.transfer(apex, salt).await.map_err(said)?)
                }
                Err(trouble) => return Err(said(trouble)),
            },
        };
        if let Some(transferred) = transferred {
            self.transferred = Some(Instant::now());
            self.believe(turn, transferred, asked);
        }
        Ok(())
    }

    /// Takes a version of legacy, asked for at this time, for what it has, unless it is doubtful.
    fn believe(&mut self, turn: &Turn, transferred: Transferred, asked: Instant) {
        let Some(agreed) = &self.agreed else { return };
        let Transferred { version, notes, .. } = transferred;
        let now = Size { serial: version.soa.serial, rrsets: version.content.len() as u64 };
        let before = self
            .theirs
            .as_ref()
            .map(|theirs| Size { serial: theirs.soa.serial, rrsets: theirs.content.len() as u64 });
        let said = self.said.as_ref().and_then(|said| said.legacy.as_ref());
        let before = before.or_else(|| said.map(|said| Size { serial: said.serial, rrsets: said.records }));
        let found = apart(&turn.ours, &version.content, &turn.scope, agreed);
        let gone = found.iter().filter(|one| one.theirs.is_none() && one.changed == Changed::Legacy).count();
        let percent = turn.zone.spec.guard.max_removed_percent;
        let accepted =
            annotation(&turn.migration, ACCEPT_ANNOTATION).and_then(|text| text.trim().parse().ok());
        let doubt = doubt(before, now, gone as u64, agreed.len() as u64, percent)
            .filter(|_| accepted != Some(now.serial));
        if let Some(doubt) = doubt {
            self.doubt = Some(format!(
                "{doubt}; if that is right, kubectl annotate zonemigration {} {ACCEPT_ANNOTATION}={}",
                turn.migration.metadata.name.as_deref().unwrap_or_default(),
                now.serial
            ));
            return;
        }
        self.doubt = None;
        self.memory.transferred();
        self.unheld = Unheld::of(&notes, &version.content, &turn.scope);
        self.counted = turn.scope.count(&version.content) + self.unheld.whole();
        self.shared.serials.send_if_modified(|serials| {
            serials.insert(turn.scope.apex.clone(), now.serial) != Some(now.serial)
        });
        (self.theirs, self.theirs_asked) = (Some(version), Some(asked));
    }

    /// The server, with its key.
    pub(super) async fn server(&mut self, migration: &ZoneMigration) -> Result<Server, (Reason, String)> {
        let legacy = &migration.spec.legacy;
        let addresses = legacy.addresses.iter().map(|text| address(LEGACY_ADDRESSES, text));
        let addresses = addresses.collect::<Result<Vec<_>, _>>().map_err(|why| (Reason::InvalidSpec, why))?;
        let key = match &legacy.tsig_secret_ref {
            None => None,
            Some(named) => match &self.key {
                Some((read, key)) if read.elapsed() < KEY_IS_GOOD => Some(key.clone()),
                _ => {
                    let namespace = migration.metadata.namespace.as_deref().unwrap_or_default();
                    let key = writing::key(&self.shared.client, namespace, &named.name).await;
                    let key = Arc::new(key.map_err(|why| (Reason::KeyMissing, why))?);
                    self.key = Some((Instant::now(), key.clone()));
                    Some(key)
                }
            },
        };
        Ok(Server::new(addresses, key, Limits::default()))
    }
}
