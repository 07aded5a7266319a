//! Changes on both sides while zones move: at a steady rate, of one name of each zone on our side, and of another at legacy.
//! Each has a new address; every fifth is a removal where that can be seen.

use super::NAMESPACE;
use super::history::{History, Said};
use super::zones::{CHANGING, Moving, TTL};
use crate::legacy::Legacy;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, Client};
use port53_crds::DNSRecord;
use port53_zone::rdata::parse_value;
use port53_zone::{RRset, Rtype, name};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::runtime::Handle;

/// Every so many changes of a name one is a removal.
const REMOVED: u64 = 5;

/// How both sides are changed.
#[derive(Clone)]
pub struct Sides {
    /// As a person with `kubectl`.
    pub client: Client,
    /// As its admin, by `nsupdate`.
    pub legacy: Arc<Legacy>,
}

/// Which changes go on.
#[derive(Clone, Debug, Default)]
struct Open {
    here: bool,
    there: bool,
    /// The name of a Zone that is left out.
    left_out: Option<String>,
}

/// See the module. They end when it is dropped.
pub struct Changes {
    open: Arc<Mutex<Open>>,
    made: [Arc<AtomicU64>; 2],
    _until: Vec<Sender<()>>,
}

/// Where a change is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Here,
    There,
}

/// What changes of a zone.
#[derive(Clone, Debug)]
struct Changing {
    zone: String,
    apex: String,
    owner: String,
    /// The name of its DNSRecord.
    object: String,
    /// Whether it can be seen that there is no such name.
    is_removed: bool,
    times: u64,
}

impl Changes {
    /// Begins with so many changes a second at legacy, and as many here once [`Changes::open`] says so. Needs a runtime.
    pub fn begin(sides: Sides, zones: &[Moving], history: Arc<History>, rate: f64) -> Self {
        let open = Arc::new(Mutex::new(Open { there: true, ..Open::default() }));
        let made = [Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0))];
        let until = [Side::Here, Side::There].map(|side| {
            let (until, over) = channel();
            let mut changing: Vec<Changing> = zones.iter().map(|zone| Changing::of(zone, side)).collect();
            let (sides, open, history) = (sides.clone(), open.clone(), history.clone());
            let (made, runtime) = (made[side as usize].clone(), Handle::current());
            thread::spawn(move || {
                for place in (0..changing.len()).cycle() {
                    if over.recv_timeout(Duration::from_secs_f64(1.0 / rate))
                        != Err(RecvTimeoutError::Timeout)
                    {
                        return;
                    }
                    // Held while it changes, so that who closes it has no change on its way.
                    let open = open.lock().unwrap_or_else(PoisonError::into_inner);
                    let change = &mut changing[place];
                    let is_open = [open.here, open.there][side as usize];
                    if is_open && open.left_out.as_ref() != Some(&change.zone) {
                        change.make(&sides, side, &history, &runtime);
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            until
        });
        Changes { open, made, _until: until.into() }
    }

    /// From now on both sides change.
    pub fn open(&self) {
        self.set(|open| (open.here, open.there) = (true, true));
    }

    /// Nothing changes any more, and no change is on its way to its side.
    pub fn close(&self) {
        self.set(|open| (open.here, open.there) = (false, false));
    }

    /// This zone does not change any more; all do without one.
    pub fn leave_out(&self, zone: Option<&Moving>) {
        self.set(|open| open.left_out = zone.map(|zone| zone.name.clone()));
    }

    /// How many were made so far, here and at legacy.
    pub fn made(&self) -> [u64; 2] {
        [0, 1].map(|side: usize| self.made[side].load(Ordering::Relaxed))
    }

    fn set(&self, change: impl FnOnce(&mut Open)) {
        change(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Changing {
    fn of(zone: &Moving, side: Side) -> Self {
        let label = CHANGING[side as usize];
        Changing {
            zone: zone.name.clone(),
            apex: zone.domain.clone(),
            owner: zone.owner(label),
            object: format!("{label}-a.{}", zone.name),
            is_removed: !zone.has_wildcard_at_top(),
            times: 0,
        }
    }

    /// Makes the next change.
    fn make(&mut self, sides: &Sides, side: Side, history: &History, runtime: &Handle) {
        self.times += 1;
        let key = format!("{} A", self.owner);
        let address = match self.is_removed && self.times.is_multiple_of(REMOVED) {
            true => None,
            false => Some(format!("198.51.{}.{}", self.times / 250 % 250, self.times % 250)),
        };
        history.begins(
            &key,
            address.as_deref().map_or_else(Said::no_such_name, |address| said(&self.owner, address)),
        );
        match side {
            Side::Here => runtime.block_on(self.here(&sides.client, address.as_deref())),
            Side::There => sides.legacy.change(&self.apex, &update(&self.owner, address.as_deref())),
        }
        history.is_made(&key);
    }

    async fn here(&self, client: &Client, address: Option<&str>) {
        let resource = ApiResource::erase::<DNSRecord>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &resource);
        let done = match address {
            None => api.delete(&self.object, &DeleteParams::default()).await.map(drop),
            Some(address) => {
                let object = json!({
                    "apiVersion": "port53.dev/v1alpha1", "kind": "DNSRecord",
                    "metadata": {"name": self.object, "namespace": NAMESPACE},
                    "spec": {
                        "zoneRef": {"name": self.zone}, "name": CHANGING[0], "type": "A", "ttl": TTL, "values": [address],
                    },
                });
                api.patch(&self.object, &PatchParams::apply("kubectl").force(), &Patch::Apply(&object))
                    .await
                    .map(drop)
            }
        };
        done.unwrap_or_else(|error| panic!("DNSRecord {NAMESPACE}/{}: {error}", self.object));
    }
}

/// What is said of a name with one address.
///
/// # Panics
/// When one of both is none.
pub fn said(owner: &str, address: &str) -> Said {
    let owner = name::parse_absolute(owner).expect("a name");
    let value = parse_value(Rtype::A, address).expect("an address");
    Said::rrset(&RRset::new(owner, Rtype::A, TTL, [value]))
}

/// Lines of `nsupdate` that give a name one address, or take it away.
pub fn update(owner: &str, address: Option<&str>) -> String {
    let added = address.map(|address| format!("\nupdate add {owner} {TTL} A {address}"));
    format!("update delete {owner} A{}", added.unwrap_or_default())
}
