//! Transferring: the Secrets of keys, who may transfer which zone, and telling secondaries.
//!
//! Every Secret that a Zone names is followed, by its name alone, which a Role may allow. Their keys go into one
//! Secret of ours, which resolvers have as files; who may transfer a zone goes into its head. Secondaries are told
//! of a version by NOTIFY from here, once every pod of a nameserver answers it: one that asks sooner could meet a
//! pod that does not have it, and would wait for its refresh.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::DynamicObject;
use port53_client::watch::{Told, What};
use port53_crds::Zone;
use port53_secondaries::keys::{Key as TsigKey, Keys};
use port53_secondaries::notify::{Notifier, Pauses};
use port53_zone::transfer::Allow;
use port53_zone::{Name, name};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::task::AbortOnDropHandle;

use super::statuses::Object;
use super::{Engine, Timer, planning};
use crate::cluster::secrets::{self, TSIG_KEYS};
use crate::cluster::store::WriteError;
use crate::index::{self, Key};
use crate::transfer::{self, Known, Seen, Transferable};

/// Messages on their way from the Secrets.
const QUEUE: usize = 256;
/// Between attempts to write the keys.
const RETRY: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Transfers {
    /// Our own Secret.
    own: Key,
    messages: Sender<Told<Key>>,
    heard: Receiver<Told<Key>>,
    followed: BTreeMap<Key, AbortOnDropHandle<()>>,
    /// What is known of the Secrets that Zones name.
    secrets: BTreeMap<Key, Seen>,
    /// While a list is read, the Secrets that it had.
    listed: BTreeSet<Key>,
    holders: BTreeMap<Name, Key>,
    /// Our own Secret, as the watch told of it last; nothing before that.
    written: Option<BTreeMap<String, String>>,
    is_writing: bool,
    trouble: Option<String>,
    keys: Arc<ArcSwap<Keys>>,
    notifier: Notifier,
}

/// The keys were written, or not.
pub(super) struct Ended {
    files: BTreeMap<String, String>,
    result: Result<(), WriteError>,
}

impl Transfers {
    pub(super) fn new(namespace: &str) -> Self {
        let (messages, heard) = mpsc::channel(QUEUE);
        let keys = Arc::new(ArcSwap::from_pointee(Keys::default()));
        Transfers {
            own: (namespace.to_owned(), TSIG_KEYS.to_owned()),
            messages,
            heard,
            followed: BTreeMap::new(),
            secrets: BTreeMap::new(),
            listed: BTreeSet::new(),
            holders: BTreeMap::new(),
            written: None,
            is_writing: false,
            trouble: None,
            notifier: Notifier::new(keys.clone(), Pauses::default()),
            keys,
        }
    }

    /// The next message about a Secret.
    pub(super) async fn hear(&mut self) -> Option<Told<Key>> {
        self.heard.recv().await
    }

    fn of(&self, zone: &Zone) -> Transferable {
        transfer::transferable(zone, &self.secrets, &self.holders)
    }

    /// Follows these Secrets of people, and our own from the first of them on. Says whether others went.
    fn follow(&mut self, client: &Client, mut named: BTreeSet<Key>) -> bool {
        if named.is_empty() && self.followed.is_empty() {
            return false;
        }
        named.insert(self.own.clone());
        let before = self.secrets.len();
        self.followed.retain(|key, _| named.contains(key));
        self.secrets.retain(|key, _| named.contains(key));
        for key in named {
            if !self.followed.contains_key(&key) {
                let task = secrets::follow(client, &key, &self.messages);
                self.followed.insert(key, task);
            }
        }
        self.secrets.len() != before
    }

    /// Takes note of what is told of a Secret of people. Says whether that is anything new.
    fn note(&mut self, key: Key, what: What) -> bool {
        let now = match what {
            What::ListBegins => {
                self.listed.remove(&key);
                return false;
            }
            What::Object(object) => {
                self.listed.insert(key.clone());
                read(*object)
            }
            What::Listed if self.listed.contains(&key) => return false,
            What::Listed | What::Deleted(_) => Seen::Missing,
            What::Following => return false,
            // What was read stays.
            What::Lost(_) if Seen::of(&self.secrets, &key).is_read() => return false,
            What::Lost(trouble) => Seen::Unreadable(trouble.why),
        };
        self.secrets.insert(key.clone(), now.clone()) != Some(now)
    }

    /// Takes note of what is told of our own Secret.
    fn note_own(&mut self, what: What) {
        match what {
            What::ListBegins => drop(self.listed.remove(&self.own)),
            What::Object(object) => {
                self.listed.insert(self.own.clone());
                let read = index::parse::<Secret>(*object);
                self.written = Some(read.map(|secret| transfer::decoded(&secret)).unwrap_or_default());
            }
            What::Listed if self.listed.contains(&self.own) => {}
            What::Listed | What::Deleted(_) => self.written = Some(BTreeMap::new()),
            What::Following => {}
            What::Lost(trouble) => self.is_troubled(format!("cannot be followed: {}", trouble.why)),
        }
    }

    fn is_troubled(&mut self, why: String) {
        if self.trouble.as_ref() != Some(&why) {
            let (namespace, name) = &self.own;
            tracing::warn!("Secret {namespace}/{name} {why}");
            self.trouble = Some(why);
        }
    }

    fn keys_changed(&mut self) {
        self.holders = transfer::holders(&self.secrets);
        let files = transfer::files(&self.secrets, &self.holders);
        let keys = files.iter().filter_map(|(name, text)| TsigKey::parse(name, text).ok());
        self.keys.store(Arc::new(Keys::new(keys)));
    }

    /// The files that our Secret is to have; nothing while it has them, or it is not known what it has.
    fn to_write(&self) -> Option<BTreeMap<String, String>> {
        let written = self.written.as_ref()?;
        let mut files = transfer::files(&self.secrets, &self.holders);
        let mut of_people = self.followed.keys().filter(|key| **key != self.own);
        if of_people.any(|key| !Seen::of(&self.secrets, key).is_read()) {
            // A key that is in use may be that of a Secret that was not read yet.
            for (name, text) in written {
                files.entry(name.clone()).or_insert_with(|| text.clone());
            }
        }
        (files != *written).then_some(files)
    }
}

fn read(object: DynamicObject) -> Seen {
    match index::parse::<Secret>(object) {
        Ok(secret) => {
            let created = secret.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
            Seen::There(created, transfer::read(&secret))
        }
        Err(error) => Seen::There(i64::MAX, Err(format!("is no Secret: {error}"))),
    }
}

impl Engine {
    /// Follows the Secrets that Zones name, and our own as long as there are any.
    pub(super) fn follow_secrets(&mut self) {
        let zones = self.index.zones.iter().map(|(_, zone)| zone);
        let named: BTreeSet<Key> = zones.flat_map(|zone| transfer::secrets(zone)).collect();
        if self.transfers.follow(&self.client, named) {
            self.transfers.keys_changed();
            self.write_keys();
        }
    }

    pub(super) fn secret_told(&mut self, Told { kind: key, what }: Told<Key>) {
        if key == self.transfers.own {
            self.transfers.note_own(what);
            return self.write_keys();
        }
        if !self.transfers.followed.contains_key(&key) || !self.transfers.note(key.clone(), what) {
            return;
        }
        self.transfers.keys_changed();
        self.write_keys();
        self.plan.heard(Instant::now());
        let concerned = self.index.zones.iter().filter(|(_, zone)| zone.spec.transfer.is_some());
        let concerned: Vec<Key> = concerned.map(|(key, _)| key.clone()).collect();
        concerned.into_iter().for_each(|key| self.statuses.queue(Object::Zone(key)));
    }

    /// Writes the keys for the resolvers, where they are not as they should be.
    pub(super) fn write_keys(&mut self) {
        if self.transfers.is_writing {
            return;
        }
        let Some(files) = self.transfers.to_write() else { return };
        self.transfers.is_writing = true;
        let client = self.client.clone();
        let namespace = self.transfers.own.0.clone();
        self.jobs.spawn(async move {
            let result = secrets::write_keys(client, &namespace, &files).await;
            super::Ended::Keys(Ended { files, result })
        });
    }

    pub(super) fn keys_ended(&mut self, Ended { files, result }: Ended) {
        self.transfers.is_writing = false;
        match result {
            Ok(()) => {
                tracing::info!(keys = files.len(), "the keys of TSIG are written for the resolvers");
                self.transfers.trouble = None;
                self.transfers.written = Some(files);
                self.write_keys();
            }
            Err(error) => {
                self.transfers.is_troubled(format!("cannot be written, and is tried again: {error}"));
                self.at(Instant::now() + RETRY, Timer::Keys);
            }
        }
    }

    /// Who may transfer the zone of a Zone, beside those of whom that is not known now and who may already.
    pub(super) fn may_transfer(&self, zone: &Zone, apex: &Name) -> Vec<Allow> {
        let mut transferable = self.transfers.of(zone);
        if !matches!(transferable.known, Known::Wholly(_)) {
            let stored = self.zones.get(apex).and_then(|zone| zone.serving());
            let may = stored.iter().flat_map(|stored| &stored.head.transfer);
            transferable.allow.extend(may.filter(|allow| matches!(allow, Allow::Key(_))).cloned());
        }
        // In one order, so that a head is not written for another.
        transferable.allow.sort();
        transferable.allow.dedup();
        transferable.allow
    }

    /// How far it is known who may transfer the zone of a Zone; nothing where it says of nobody that he may.
    pub(super) fn transfers_known(&self, zone: &Zone) -> Option<Known> {
        zone.spec.transfer.as_ref().map(|_| self.transfers.of(zone).known)
    }

    /// So many nameservers answer this serial with all their pods: secondaries are told, once for each of them.
    pub(super) fn tell_secondaries(&mut self, apex: &Name, serial: u32, nameservers: usize) {
        let Some(state) = self.zones.get(apex) else { return };
        let Some(stored) = state.serving().filter(|stored| stored.head.soa.serial == serial) else { return };
        let is_told = state.told_secondaries.is_some_and(|(told, by)| told == serial && by >= nameservers);
        let key = planning::key_of(&stored.head.holder);
        let Some(zone) = self.index.zones.get(&key).filter(|_| nameservers > 0 && !is_told) else { return };
        let secondaries = transfer::secondaries(zone);
        if secondaries.is_empty() {
            return;
        }
        let signs = match self.transfers.of(zone).signs {
            // Unsigned it would not be heard, or heard as anyone's.
            Some(None) => return,
            Some(Some(name)) => Some(name),
            None => None,
        };
        tracing::debug!(zone = name::display(apex), serial, nameservers, "secondaries are told");
        let soa = stored.head.soa.clone();
        self.transfers.notifier.announce(apex, &soa, &secondaries, signs.as_ref(), &Handle::current());
        if let Some(state) = self.zones.get_mut(apex) {
            state.told_secondaries = Some((serial, nameservers));
        }
    }

    /// The zone is withdrawn.
    pub(super) fn tell_secondaries_no_more(&mut self, apex: &Name) {
        self.transfers.notifier.forget(apex);
    }
}
