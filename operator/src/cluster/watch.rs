//! Watches: what people wrote, event by event.
//!
//! Objects come as plain JSON and are read one by one, so that one that cannot be read is that one's affair
//! and never the end of a list. What is of no use here is dropped before it is kept.

use futures::{StreamExt, pin_mut};
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::watcher::{self, Event, InitialListStrategy};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client};
use tokio::sync::mpsc::UnboundedSender;

/// A kind that is watched, in all namespaces.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Zone.
    Zone,
    /// DNSRecord.
    Record,
    /// Namespace.
    Namespace,
}

/// What a watch tells.
#[derive(Debug)]
pub struct Told {
    /// Of which kind.
    pub kind: Kind,
    /// What.
    pub what: What,
}

/// See [`Told`].
#[derive(Debug)]
pub enum What {
    /// A list begins: what is not in it is gone.
    ListBegins,
    /// An object of the list.
    Listed(Box<DynamicObject>),
    /// The list is whole.
    ListEnds,
    /// An object is new or changed.
    Applied(Box<DynamicObject>),
    /// An object is gone.
    Deleted(Box<DynamicObject>),
    /// The watch fails, and is tried again. What is known stays.
    Failed(String),
}

/// How lists are asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum ListStrategy {
    /// In pages. Every API server can.
    #[default]
    Paged,
    /// As the beginning of the watch, which costs the API server less memory.
    Streaming,
}

/// Watches one kind until nobody listens. It never ends by itself: what fails is told and tried again, with
/// growing pauses.
pub async fn run(
    client: Client,
    kind: Kind,
    resource: ApiResource,
    list: ListStrategy,
    to: UnboundedSender<Told>,
) {
    let api: Api<DynamicObject> = Api::all_with(client, &resource);
    let config = watcher::Config {
        initial_list_strategy: match list {
            ListStrategy::Paged => InitialListStrategy::ListWatch,
            ListStrategy::Streaming => InitialListStrategy::StreamingList,
        },
        ..watcher::Config::default()
    };
    let events = watch(api, config).default_backoff();
    pin_mut!(events);
    while let Some(event) = events.next().await {
        let what = match event {
            Ok(Event::Init) => What::ListBegins,
            Ok(Event::InitApply(object)) => What::Listed(lean(object)),
            Ok(Event::InitDone) => What::ListEnds,
            Ok(Event::Apply(object)) => What::Applied(lean(object)),
            Ok(Event::Delete(object)) => What::Deleted(lean(object)),
            Err(error) => What::Failed(chain(&error)),
        };
        if to.send(Told { kind, what }).is_err() {
            return;
        }
    }
}

/// Who wrote which field is of no use here, and is most of an object.
fn lean(mut object: DynamicObject) -> Box<DynamicObject> {
    object.metadata.managed_fields = None;
    Box::new(object)
}

/// An error with all that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
