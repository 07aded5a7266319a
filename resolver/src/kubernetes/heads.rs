//! The zones as their heads say: one task that takes heads in their order and acts on each.
//!
//! A journal is applied at once, in the task. A checkpoint that is needed is read beside it, a few zones at a
//! time; meanwhile what is served stays, and other zones go on. When it is there, the head that it was read
//! for is followed, and then the newest: so a zone that changes faster than it can be read comes nearer with
//! each attempt, because slices that are known are not fetched again.

use super::KubernetesStatus;
use super::decide::{Held, Step};
use crate::source::{Publisher, SourceState};
use crate::transfer::Transfers;
use kube::ResourceExt;
use kube::core::DynamicObject;
use port53_client::jittered;
use port53_client::slices::Slices;
use port53_client::watch::{Told, What};
use port53_crds::{HeadState, ZoneHead};
use port53_store::Head;
use port53_zone::content::Content;
use port53_zone::image::Image;
use port53_zone::{Name, name};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

/// Zones whose slices are fetched at once.
const ASSEMBLIES: usize = 8;
/// The first pause after a checkpoint could not be read; each that follows is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The zones of a source.
pub(super) struct Zones {
    publisher: Publisher,
    transfers: Arc<Transfers>,
    status: Arc<KubernetesStatus>,
    slices: Slices,
    zones: HashMap<Name, Zone>,
    /// What is wrong with heads that cannot be read, by the name of the object.
    unreadable: HashMap<String, String>,
    /// Zones whose newest head is not what is served.
    behind: HashSet<Name>,
    namespace: String,
    /// Heads that the list had so far, or the last one.
    listed: usize,
    room: Arc<Semaphore>,
    read: UnboundedSender<Read>,
    reads: UnboundedReceiver<Read>,
}

/// What is known of a zone beyond what is served.
#[derive(Default)]
struct Zone {
    base: Option<Image>,
    /// The newest head.
    head: Option<Arc<Head>>,
    assembly: Option<Assembly>,
    /// The checkpoint that was read last, with who owns what, as long as newer ones are needed.
    known: Option<Content>,
    failures: u32,
    /// Why the newest head is not followed.
    problem: Option<String>,
}

/// A checkpoint that is being read.
struct Assembly {
    newest: watch::Sender<Arc<Head>>,
    task: JoinHandle<()>,
}

impl Drop for Assembly {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What came of reading the checkpoint of a head: its content, and it as an image of what a resolver keeps.
struct Read {
    head: Arc<Head>,
    result: Result<(Content, Image), String>,
}

impl Zones {
    /// Those of `namespace`.
    pub(super) fn new(
        publisher: Publisher,
        transfers: Arc<Transfers>,
        status: Arc<KubernetesStatus>,
        slices: Slices,
        namespace: String,
    ) -> Self {
        let (read, reads) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(ASSEMBLIES));
        let (zones, unreadable, behind) = (HashMap::new(), HashMap::new(), HashSet::new());
        Zones {
            publisher,
            transfers,
            status,
            slices,
            zones,
            unreadable,
            behind,
            namespace,
            listed: 0,
            room,
            read,
            reads,
        }
    }

    /// Acts on what is heard until nothing more can come.
    pub(super) async fn run(mut self, mut messages: Receiver<Told<()>>) {
        loop {
            tokio::select! {
                told = messages.recv() => match told {
                    Some(Told { what, .. }) => self.hear(what),
                    None => return,
                },
                Some(read) = self.reads.recv() => self.checkpoint_was_read(read),
            }
            self.status.behind.store((self.behind.len() + self.unreadable.len()) as u64, Relaxed);
        }
    }

    fn hear(&mut self, what: What) {
        match what {
            // What is not in a list is not gone: absence removes nothing.
            What::ListBegins => self.listed = 0,
            What::Object(object) => {
                self.listed += 1;
                self.take(*object);
            }
            What::Deleted(object) => self.is_gone(&object.name_any()),
            What::Listed => {
                if self.listed == 0 {
                    tracing::info!("no ZoneHeads in namespace {}", self.namespace);
                }
                self.publisher.list_complete();
            }
            What::Following => self.source_is(SourceState::Following),
            What::Lost(trouble) => self.source_is(SourceState::Lost(trouble.why)),
        }
    }

    /// Says how the source is, and in the log when that changes.
    fn source_is(&self, state: SourceState) {
        let before = self.publisher.overview().source;
        match &state {
            SourceState::Lost(why) if before.label() != state.label() => {
                tracing::warn!("ZoneHeads cannot be followed: {why}; what is served stays");
            }
            SourceState::Following if before != state => tracing::info!("following ZoneHeads"),
            _ => {}
        }
        self.publisher.source_is(state);
    }

    fn is_gone(&mut self, object: &str) {
        self.unreadable.remove(object);
        tracing::warn!(
            "ZoneHead {object} was deleted: its zone stays in service, only a withdrawal ends that"
        );
    }

    fn take(&mut self, object: DynamicObject) {
        let object_name = object.name_any();
        let domain = object.data["spec"]["domain"].as_str().map(str::to_owned);
        let head = object
            .try_parse::<ZoneHead>()
            .map_err(|error| error.to_string())
            .and_then(|head| Head::read(&head).map_err(|error| error.to_string()));
        match head {
            Ok(head) => {
                self.unreadable.remove(&object_name);
                self.head_is(Arc::new(head));
            }
            Err(why) => {
                // It is known of which zone it is when no more than its domain can be read.
                if let Some(Ok(apex)) = domain.as_deref().map(name::parse_absolute)
                    && port53_store::head_object_name(&apex) == object_name
                {
                    self.publisher.assembling(apex);
                }
                if self.unreadable.get(&object_name) != Some(&why) {
                    self.status.refused.fetch_add(1, Relaxed);
                    tracing::error!("ZoneHead {object_name} is not followed, what is served stays: {why}");
                    self.unreadable.insert(object_name, why);
                }
            }
        }
    }

    fn head_is(&mut self, head: Arc<Head>) {
        // Before the version that it says, which then is the first of the journal.
        self.may_transfer(&head);
        self.forwards(&head);
        let zone = self.zones.entry(head.apex.clone()).or_default();
        zone.head = Some(head.clone());
        self.follow(&head);
        self.count(&head.apex);
    }

    /// Who may transfer a zone is so at once, whatever becomes of the version.
    fn may_transfer(&self, head: &Head) {
        let allow = match head.state {
            HeadState::Serving => head.transfer.clone(),
            HeadState::Withdrawn => Vec::new(),
        };
        if self.transfers.policies().say(&head.apex, allow) {
            self.publisher.is_unsaved(&head.apex);
        }
    }

    /// Who answers a zone is so at once too.
    fn forwards(&self, head: &Head) {
        let forwarding = match head.state {
            HeadState::Serving => head.forwarding.clone(),
            HeadState::Withdrawn => None,
        };
        self.publisher.set_forwarding(&head.apex, forwarding);
    }

    /// Notes whether a zone is behind. After each message about one, and only that one: there may be ten thousand.
    fn count(&mut self, apex: &Name) {
        let is_behind = |zone: &Zone| zone.problem.is_some() || zone.assembly.is_some();
        match self.zones.get(apex).is_some_and(is_behind) {
            true => self.behind.insert(apex.clone()),
            false => self.behind.remove(apex),
        };
    }

    /// Does what `head` asks for.
    fn follow(&mut self, head: &Arc<Head>) {
        let apex = &head.apex;
        let zone = self.zones.entry(apex.clone()).or_default();
        let served = self.publisher.view(apex).and_then(|view| view.image);
        let mut held = Held { served, base: zone.base.take() };
        let step = held.step(head);
        let problem = match step {
            Step::Nothing => None,
            Step::Serve(image) => {
                let put = self.publisher.put(*image);
                held.served = self.publisher.view(apex).and_then(|view| view.image);
                put.err().map(|refused| refused.to_string())
            }
            Step::Withdraw => {
                if self.publisher.withdraw(apex) {
                    tracing::info!("zone {} is withdrawn", name::display(apex));
                }
                *zone = Zone { head: Some(head.clone()), ..Zone::default() };
                return;
            }
            Step::Assemble => {
                zone.base = held.base;
                self.publisher.assembling(apex.clone());
                self.assemble(head);
                return;
            }
            Step::Refuse(refusal) => Some(refusal.to_string()),
        };
        match &problem {
            None => {
                held.keep_base(head);
                zone.assembly = None;
                zone.failures = 0;
            }
            Some(why) if zone.problem.as_ref() != Some(why) => {
                self.status.refused.fetch_add(1, Relaxed);
                let zone = name::display(apex);
                tracing::error!("the ZoneHead of {zone} is not followed, what is served stays: {why}");
                if held.served.is_none() {
                    self.publisher.assembling(apex.clone());
                }
            }
            Some(_) => {}
        }
        zone.base = held.base;
        zone.known = None;
        zone.problem = problem;
    }

    /// Has the checkpoint of `head` read, or that of a newer one by the time that there is room.
    fn assemble(&mut self, head: &Arc<Head>) {
        let Some(zone) = self.zones.get_mut(&head.apex) else { return };
        if let Some(assembly) = &zone.assembly {
            assembly.newest.send_replace(head.clone());
            return;
        }
        let (newest, latest) = watch::channel(head.clone());
        let pause = match zone.failures {
            0 => Duration::ZERO,
            failures => jittered((FIRST_PAUSE * 2u32.saturating_pow(failures - 1)).min(LONGEST_PAUSE)),
        };
        let (room, read, slices) = (self.room.clone(), self.read.clone(), self.slices.clone());
        let (known, status) = (zone.known.take(), self.status.clone());
        let task = tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let _place = room.acquire().await;
            let head = latest.borrow().clone();
            status.assemblies.fetch_add(1, Relaxed);
            let result = checkpoint(head.clone(), known, slices).await;
            // Nobody is there to hear it when the process ends.
            let _ = read.send(Read { head, result });
        });
        zone.assembly = Some(Assembly { newest, task });
    }

    fn checkpoint_was_read(&mut self, Read { head, result }: Read) {
        let Some(zone) = self.zones.get_mut(&head.apex) else { return };
        // One that was given up, because the zone could be followed without it.
        if zone.assembly.take().is_none() {
            return;
        }
        let newest = zone.head.clone().unwrap_or_else(|| head.clone());
        match result {
            Ok((content, base)) => {
                zone.known = Some(content);
                zone.base = Some(base);
                zone.failures = 0;
                self.follow(&head);
                let is_newest = Arc::ptr_eq(&head, &newest);
                if !is_newest {
                    self.follow(&newest);
                }
            }
            Err(why) => {
                zone.failures = zone.failures.saturating_add(1);
                self.status.assembly_failures.fetch_add(1, Relaxed);
                if zone.problem.as_ref() != Some(&why) {
                    let zone = name::display(&head.apex);
                    tracing::error!("the checkpoint of {zone} cannot be read and is tried again: {why}");
                }
                zone.problem = Some(why);
                self.follow(&newest);
            }
        }
        self.count(&head.apex);
    }
}

/// Reads the checkpoint of `head`.
async fn checkpoint(
    head: Arc<Head>,
    known: Option<Content>,
    slices: Slices,
) -> Result<(Content, Image), String> {
    let read = slices.content(head.apex.clone(), head.checkpoint.clone(), known).await;
    let content = read.map_err(|error| error.to_string())?;
    let work = move || {
        let image = Image::new(content.without_owners(), head.soa.clone());
        (content, image)
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| format!("a bug: {error}"))
}
