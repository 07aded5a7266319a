//! Following the objects of one kind: lists, watches, and when to list again.
//!
//! A list is read to its end, then a watch goes on from its resourceVersion. A watch that ends is taken up
//! where it ended; one that says "gone" (410), that shows a resourceVersion lower than one before, or that
//! shows nothing for two minutes although bookmarks come each minute, is followed by a new list. So is a lost
//! connection when the API server that comes back is behind what was seen: after a restore of etcd it would
//! leave out events without a word.
//!
//! Objects come as plain JSON, so that one that cannot be read is that one's affair and never the end of a list.
//! The library's watcher lists again on 410 only and shows no bookmarks; hence this loop over its raw calls.

use crate::{explain, jittered};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::{Error, ResourceExt};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep, timeout};

/// Bookmarks come about once a minute: a watch that is silent for longer is not to be trusted.
const SILENCE: Duration = Duration::from_secs(120);
/// How long a request may take to begin to be answered, and a page of a list to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first pause after a failure; each that follows is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Marks the bookmark after the last object of a streaming list.
const END_OF_LIST: &str = "k8s.io/initial-events-end";

/// What is heard, and of which kind.
#[derive(Debug)]
pub struct Told<K> {
    /// As [`Follower::kind`].
    pub kind: K,
    /// What.
    pub what: What,
}

/// See [`Told`].
#[derive(Debug)]
pub enum What {
    /// A list begins: what is not told of before it is whole is gone.
    ListBegins,
    /// An object as it is now.
    Object(Box<DynamicObject>),
    /// An object is gone. This is how it was.
    Deleted(Box<DynamicObject>),
    /// Every object that there is was told.
    Listed,
    /// What changes from now on is told as it does.
    Following,
    /// Nothing can be heard, and it is tried again. What is known stays.
    Lost(String),
}

/// How much of the objects is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Names and versions.
    Metadata,
}

/// What is followed, and who hears of it.
pub struct Follower<K> {
    /// What is listed and watched.
    pub api: Api<DynamicObject>,
    /// How the listener tells this from others.
    pub kind: K,
    /// How much of it.
    pub part: Part,
    /// Objects in a page of a list.
    pub page: u32,
    /// Whether the list comes as a watch, which is lighter for an API server that can.
    pub streaming_list: bool,
    /// Who hears of it.
    pub messages: Sender<Told<K>>,
    /// How often a list was begun.
    pub lists: Arc<AtomicU64>,
}

/// A follower at work.
struct Following<K> {
    this: Follower<K>,
    place: Place,
}

/// How far was heard.
#[derive(Debug, Default)]
struct Place {
    /// Where a watch goes on; nothing when a list is needed.
    from: Option<String>,
    /// The highest resourceVersion seen.
    highest: Option<u64>,
}

/// Why following was interrupted.
enum Interruption {
    /// The API server cannot be reached, or refuses.
    Lost(String),
    /// Nobody listens any more.
    Over,
}

impl From<Error> for Interruption {
    fn from(error: Error) -> Self {
        Interruption::Lost(explain(&error))
    }
}

/// What a page of a list says.
struct Page {
    objects: Vec<DynamicObject>,
    next: Option<String>,
    version: String,
}

impl<K: Clone> Follower<K> {
    /// Follows until nobody listens any more.
    pub async fn run(self) {
        self.follow_from(Place::default()).await;
    }

    /// As [`Follower::run`], for who knows what there was at `version`: it begins with what changed after it, and
    /// lists only when that is no longer known.
    pub async fn run_after(self, version: String) {
        let mut place = Place::default();
        place.begins_at(version);
        self.follow_from(place).await;
    }

    async fn follow_from(self, place: Place) {
        let mut following = Following { this: self, place };
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            let Err(Interruption::Lost(why)) = following.follow().await else { return };
            // What ran for a while is a new failure, not the last one again.
            pause = if begun.elapsed() > LONGEST_PAUSE { FIRST_PAUSE } else { pause };
            if following.send(What::Lost(why)).await.is_err() {
                return;
            }
            sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn page(&self, params: &ListParams) -> Result<Page, Error> {
        let page = |objects, metadata: kube::core::ListMeta| Page {
            objects,
            next: metadata.continue_.filter(|token| !token.is_empty()),
            version: metadata.resource_version.unwrap_or_default(),
        };
        match self.part {
            Part::Whole => {
                let list = in_time(self.api.list(params)).await?;
                Ok(page(list.items, list.metadata))
            }
            Part::Metadata => {
                let list = in_time(self.api.list_metadata(params)).await?;
                Ok(page(list.items.into_iter().map(without_data).collect(), list.metadata))
            }
        }
    }

    async fn events(
        &self,
        params: &WatchParams,
        from: &str,
    ) -> Result<BoxStream<'static, Result<WatchEvent<DynamicObject>, Error>>, Error> {
        match self.part {
            Part::Whole => Ok(in_time(self.api.watch(params, from)).await?.boxed()),
            Part::Metadata => {
                let events = in_time(self.api.watch_metadata(params, from)).await?;
                Ok(events.map(|event| event.map(event_without_data)).boxed())
            }
        }
    }
}

impl<K: Clone> Following<K> {
    async fn follow(&mut self) -> Result<(), Interruption> {
        self.notice_a_restore().await?;
        loop {
            if self.place.from.is_none() {
                self.this.lists.fetch_add(1, Ordering::Relaxed);
                if self.this.streaming_list {
                    self.watch(WatchParams::streaming_lists(), "0".to_owned()).await?;
                    continue;
                }
                self.list().await?;
            }
            if let Some(from) = self.place.from.clone() {
                self.watch(WatchParams::default(), from).await?;
            }
        }
    }

    /// Whether the API server that is to be followed on is behind what it, or the one before, has shown.
    async fn notice_a_restore(&mut self) -> Result<(), Interruption> {
        if self.place.from.is_none() {
            return Ok(());
        }
        let now = self.this.page(&ListParams::default().limit(1)).await?;
        self.place.sees(&now.version);
        Ok(())
    }

    /// Lists to the end.
    async fn list(&mut self) -> Result<(), Interruption> {
        let mut params = ListParams::default().limit(self.this.page);
        loop {
            if params.continue_token.is_none() {
                self.send(What::ListBegins).await?;
            }
            let page = match self.this.page(&params).await {
                // The list was compacted away while it was read: from the beginning, at a later version.
                Err(Error::Api(status)) if status.code == 410 && params.continue_token.is_some() => {
                    params.continue_token = None;
                    continue;
                }
                other => other?,
            };
            for object in page.objects {
                self.send(What::Object(lean(object))).await?;
            }
            match page.next {
                Some(token) => params.continue_token = Some(token),
                None => {
                    self.place.begins_at(page.version);
                    return self.send(What::Listed).await;
                }
            }
        }
    }

    /// Watches until the API server ends the watch, or a list is needed.
    async fn watch(&mut self, params: WatchParams, from: String) -> Result<(), Interruption> {
        let begun = Instant::now();
        let mut events = match self.this.events(&params, &from).await {
            Err(Error::Api(status)) if status.code == 410 => {
                self.place.from = None;
                return Ok(());
            }
            other => pin!(other?),
        };
        match params.send_initial_events {
            true => self.send(What::ListBegins).await?,
            false => self.send(What::Following).await?,
        }
        let heard = self.hear(events.as_mut(), params.send_initial_events).await?;
        if heard == 0 && begun.elapsed() < FIRST_PAUSE {
            // An API server that ends each watch at once is asked no more often than this.
            sleep(FIRST_PAUSE).await;
        }
        Ok(())
    }

    /// Takes what comes, to its end or until a list is needed. Returns how much came. `is_list` says that it
    /// begins with a list.
    async fn hear(
        &mut self,
        mut events: impl Stream<Item = Result<WatchEvent<DynamicObject>, Error>> + Unpin,
        mut is_list: bool,
    ) -> Result<u64, Interruption> {
        let mut heard = 0;
        loop {
            let event = match timeout(SILENCE, events.next()).await {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(heard),
                Err(_) => {
                    tracing::warn!(what = self.this.api.resource_url(), "a watch is silent: listing again");
                    self.place.from = None;
                    return Ok(heard);
                }
            };
            heard += 1;
            match event? {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    let version = object.resource_version().unwrap_or_default();
                    self.send(What::Object(lean(object))).await?;
                    self.place.goes_to(version);
                }
                WatchEvent::Deleted(object) => {
                    let version = object.resource_version().unwrap_or_default();
                    self.send(What::Deleted(lean(object))).await?;
                    self.place.goes_to(version);
                }
                WatchEvent::Bookmark(bookmark) => {
                    if bookmark.metadata.annotations.contains_key(END_OF_LIST) {
                        is_list = false;
                        self.place.begins_at(bookmark.metadata.resource_version);
                        self.send(What::Listed).await?;
                        self.send(What::Following).await?;
                    } else {
                        self.place.goes_to(bookmark.metadata.resource_version);
                    }
                }
                WatchEvent::Error(status) if status.code == 410 => {
                    self.place.from = None;
                    return Ok(heard);
                }
                WatchEvent::Error(status) => return Err(Error::Api(status).into()),
            }
            if self.place.from.is_none() && !is_list {
                return Ok(heard);
            }
        }
    }

    async fn send(&self, what: What) -> Result<(), Interruption> {
        let told = Told { kind: self.this.kind.clone(), what };
        self.this.messages.send(told).await.map_err(|_| Interruption::Over)
    }
}

impl Place {
    /// A list or a restart of time: what it shows is where we are, be it lower than before.
    fn begins_at(&mut self, version: String) {
        let number = version.parse().ok();
        if is_lower(number, self.highest) {
            tracing::warn!(version, "the API server went back in time");
        }
        self.highest = number;
        self.from = Some(version).filter(|version| !version.is_empty());
    }

    /// An event: the watch goes on after it, unless time went backwards.
    fn goes_to(&mut self, version: String) {
        // Before the end of a streaming list there is no place to go on from, and versions come in any order.
        if self.from.is_some() && self.sees(&version) {
            self.from = Some(version).filter(|version| !version.is_empty());
        }
    }

    /// Whether time goes forward at `version`. When it does not, a list is needed.
    fn sees(&mut self, version: &str) -> bool {
        let number = version.parse().ok();
        if is_lower(number, self.highest) {
            self.from = None;
            return false;
        }
        self.highest = number.or(self.highest);
        true
    }
}

/// Versions of etcd are numbers that grow. What is not a number cannot be compared.
fn is_lower(number: Option<u64>, highest: Option<u64>) -> bool {
    number.zip(highest).is_some_and(|(number, highest)| number < highest)
}

async fn in_time<T>(request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_| Error::Service("the API server does not answer".into());
    timeout(PATIENCE, request).await.map_err(late)?
}

/// Who wrote which field is of no use here, and is most of an object.
fn lean(mut object: DynamicObject) -> Box<DynamicObject> {
    object.metadata.managed_fields = None;
    Box::new(object)
}

fn without_data(object: PartialObjectMeta<DynamicObject>) -> DynamicObject {
    DynamicObject { types: None, metadata: object.metadata, data: serde_json::Value::Null }
}

fn event_without_data(event: WatchEvent<PartialObjectMeta<DynamicObject>>) -> WatchEvent<DynamicObject> {
    match event {
        WatchEvent::Added(object) => WatchEvent::Added(without_data(object)),
        WatchEvent::Modified(object) => WatchEvent::Modified(without_data(object)),
        WatchEvent::Deleted(object) => WatchEvent::Deleted(without_data(object)),
        WatchEvent::Bookmark(bookmark) => WatchEvent::Bookmark(bookmark),
        WatchEvent::Error(status) => WatchEvent::Error(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_goes_backwards_asks_for_a_list() {
        let mut place = Place::default();
        place.begins_at("100".to_owned());
        place.goes_to("105".to_owned());
        assert_eq!(place.from.as_deref(), Some("105"));
        place.goes_to("105".to_owned());
        place.goes_to("104".to_owned());
        assert_eq!(place.from, None);
        // What a list says is where time is now.
        place.begins_at("50".to_owned());
        place.goes_to("51".to_owned());
        assert_eq!(place.from.as_deref(), Some("51"));
        assert!(!place.sees("49"));
    }

    #[test]
    fn versions_that_are_no_numbers_are_not_compared() {
        let mut place = Place::default();
        place.begins_at("b".to_owned());
        place.goes_to("a".to_owned());
        assert_eq!(place.from.as_deref(), Some("a"));
        place.goes_to(String::new());
        assert_eq!(place.from, None);
    }

    #[test]
    fn events_of_a_streaming_list_are_no_place_to_go_on_from() {
        let mut place = Place::default();
        place.goes_to("7".to_owned());
        assert_eq!((place.from, place.highest), (None, None));
    }
}
