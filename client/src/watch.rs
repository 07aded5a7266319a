//! Following the objects of one kind: lists, watches, and when to list again.
//!
//! A list is read to its end, then a watch goes on from its resourceVersion. A watch that ends is taken up
//! where it ended. A new list follows one
//! - that says "gone" (410), or ends with any other error of the API server;
//! - that shows a resourceVersion lower than one before;
//! - that shows nothing for two minutes, although bookmarks come each minute;
//! - whose connection is lost, unless the API server answers at the first attempt and its past is the one that
//!   was seen (`place`). One that was away for longer may have another etcd behind it; after a restore it would leave
//!   out events without a word, and after a restart it remembers no older version anyway.
//!
//! What fails is tried again within seconds, without end: followers are few.
//!
//! A streaming list that the API server refuses (WatchList is off by default in 1.33) is replaced by a plain one, as
//! long as the connection lasts.
//!
//! Objects come as plain JSON, so that one that cannot be read is that one's affair and never the end of a list.
//! The library's watcher lists again on 410 only and shows no bookmarks; hence this loop over its raw calls.

use crate::place::Place;
use crate::{explain, jittered};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use kube::Error;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::core::{DynamicObject, PartialObjectMeta};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep, timeout};

/// Bookmarks come about once a minute: a watch that is silent for longer is not to be trusted.
const SILENCE: Duration = Duration::from_secs(120);
/// How long a request may take to begin to be answered.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a page of a list may take to come.
const PAGE: Duration = Duration::from_secs(30);
/// The first pause after a failure; each that follows is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The most between two attempts, unless a follower has another.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
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
    Lost(Trouble),
}

/// Why nothing can be heard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// In words, with what to do.
    pub why: String,
    /// Whether a right is missing: `why` names the resource then, so it is another for each.
    pub is_forbidden: bool,
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
    /// The one object of this name, and no others: which takes no right to others.
    pub only: Option<String>,
    /// How much of it.
    pub part: Part,
    /// Objects in a page of a list.
    pub page: u32,
    /// Whether the list comes as a watch, which is lighter for an API server that can.
    pub streaming_list: bool,
    /// The most between two attempts.
    pub longest_pause: Duration,
    /// Who hears of it.
    pub messages: Sender<Told<K>>,
    /// How often a list was begun.
    pub lists: Arc<AtomicU64>,
}

/// A follower at work.
struct Following<K> {
    this: Follower<K>,
    place: Place,
    /// Whether a watch was accepted since the connection was lost last.
    is_connected: bool,
    /// Whether a streaming list was refused since then.
    refuses_streams: bool,
}

/// Why following was interrupted.
enum Interruption {
    /// The API server cannot be reached, or refuses.
    Lost(Trouble),
    /// Nobody listens any more.
    Over,
}

impl From<Error> for Interruption {
    fn from(error: Error) -> Self {
        let is_forbidden = matches!(&error, Error::Api(status) if status.code == 403);
        Interruption::Lost(Trouble { why: explain(&error), is_forbidden })
    }
}

/// What a page of a list says.
struct Page {
    objects: Vec<DynamicObject>,
    next: Option<String>,
    version: String,
}

impl<K> Follower<K> {
    /// Follows whole objects by plain lists of 500 a page, all that `api` has.
    pub fn new(api: Api<DynamicObject>, kind: K, messages: Sender<Told<K>>) -> Self {
        Follower {
            api,
            kind,
            only: None,
            part: Part::Whole,
            page: 500,
            streaming_list: false,
            longest_pause: LONGEST_PAUSE,
            messages,
            lists: Arc::default(),
        }
    }
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
        let longest_pause = self.longest_pause;
        let mut following = Following { this: self, place, is_connected: false, refuses_streams: false };
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            let Err(Interruption::Lost(why)) = following.follow().await else { return };
            // What ran for a while is a new failure, not the last one again.
            pause = if begun.elapsed() > longest_pause { FIRST_PAUSE } else { pause };
            if following.is_lost(why).await.is_err() {
                return;
            }
            sleep(jittered(pause)).await;
            pause = (pause * 2).min(longest_pause);
        }
    }

    fn selector(&self) -> Option<String> {
        self.only.as_ref().map(|only| format!("metadata.name={only}"))
    }

    async fn page(&self, params: &ListParams) -> Result<Page, Error> {
        let page = |objects, metadata: kube::core::ListMeta| Page {
            objects,
            next: metadata.continue_.filter(|token| !token.is_empty()),
            version: metadata.resource_version.unwrap_or_default(),
        };
        match self.part {
            Part::Whole => {
                let list = within(PAGE, self.api.list(params)).await?;
                Ok(page(list.items, list.metadata))
            }
            Part::Metadata => {
                let list = within(PAGE, self.api.list_metadata(params)).await?;
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
            Part::Whole => Ok(within(ANSWER, self.api.watch(params, from)).await?.boxed()),
            Part::Metadata => {
                let events = within(ANSWER, self.api.watch_metadata(params, from)).await?;
                Ok(events.map(|event| event.map(event_without_data)).boxed())
            }
        }
    }
}

impl<K: Clone> Following<K> {
    async fn follow(&mut self) -> Result<(), Interruption> {
        self.notice_a_restore().await?;
        loop {
            match self.place.from().map(str::to_owned) {
                Some(from) => self.watch(WatchParams::default(), from).await?,
                None if self.this.streaming_list && !self.refuses_streams => {
                    let (params, from) = streaming_list();
                    self.watch(params, from).await?;
                }
                None => self.list().await?,
            }
        }
    }

    /// Takes note that the connection is lost, and tells.
    async fn is_lost(&mut self, why: Trouble) -> Result<(), Interruption> {
        if !std::mem::take(&mut self.is_connected) {
            // It was tried, and the API server was not there: who knows what it comes back with.
            self.place.needs_a_list();
        }
        self.refuses_streams = false;
        self.send(What::Lost(why)).await
    }

    /// Whether the API server that is to be followed on has another past than it, or the one before, has shown.
    async fn notice_a_restore(&mut self) -> Result<(), Interruption> {
        if self.place.from().is_none() {
            return Ok(());
        }
        for check in self.place.checks() {
            let mut params = check.params();
            params.field_selector = params.field_selector.or_else(|| self.this.selector());
            let now = within(ANSWER, self.this.page(&params)).await?;
            self.place.found(&check, now.objects.first().map(|object| &object.metadata), &now.version);
        }
        Ok(())
    }

    async fn list_begins(&mut self) -> Result<(), Interruption> {
        self.this.lists.fetch_add(1, Ordering::Relaxed);
        self.place.list_begins();
        self.send(What::ListBegins).await
    }

    /// Lists to the end.
    async fn list(&mut self) -> Result<(), Interruption> {
        let mut params = ListParams::default().limit(self.this.page);
        params.field_selector = self.this.selector();
        loop {
            if params.continue_token.is_none() {
                self.list_begins().await?;
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
                self.place.lists(&object.metadata);
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
    async fn watch(&mut self, mut params: WatchParams, from: String) -> Result<(), Interruption> {
        params.field_selector = self.this.selector();
        let begun = Instant::now();
        let mut events = match self.this.events(&params, &from).await {
            Err(Error::Api(status)) if status.code == 410 => {
                self.place.needs_a_list();
                return Ok(());
            }
            Err(Error::Api(status)) if params.send_initial_events && matches!(status.code, 400 | 422) => {
                let what = self.this.api.resource_url();
                tracing::info!(what, "the API server refuses streaming lists: plain lists are asked for");
                self.refuses_streams = true;
                return Ok(());
            }
            other => pin!(other?),
        };
        self.is_connected = true;
        match params.send_initial_events {
            true => self.list_begins().await?,
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
                    self.place.needs_a_list();
                    return Ok(heard);
                }
            };
            heard += 1;
            match event? {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    self.place.goes_past(&object.metadata, true);
                    self.send(What::Object(lean(object))).await?;
                }
                WatchEvent::Deleted(object) => {
                    self.place.goes_past(&object.metadata, false);
                    self.send(What::Deleted(lean(object))).await?;
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
                WatchEvent::Error(status) => {
                    self.place.needs_a_list();
                    return if status.code == 410 { Ok(heard) } else { Err(Error::Api(status).into()) };
                }
            }
            if self.place.from().is_none() && !is_list {
                return Ok(heard);
            }
        }
    }

    async fn send(&self, what: What) -> Result<(), Interruption> {
        let told = Told { kind: self.this.kind.clone(), what };
        self.this.messages.send(told).await.map_err(|_| Interruption::Over)
    }
}

async fn within<T>(patience: Duration, request: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_| Error::Service("the API server does not answer".into());
    timeout(patience, request).await.map_err(late)?
}

/// A list as a watch, of what there is now: after no version. After "0" it would be of any time that an API server
/// remembers.
fn streaming_list() -> (WatchParams, String) {
    (WatchParams::streaming_lists(), String::new())
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
    use kube::core::Request;

    /// After "0" an API server that lags behind etcd tells of a time gone by, and after a restart of what was deleted.
    #[test]
    fn a_streaming_list_is_of_what_there_is_now() {
        let (params, from) = streaming_list();
        let asked = Request::new("/api/v1/configmaps").watch(&params, &from).expect("a request");
        let query = asked.uri().query().expect("a query");
        let parts: Vec<&str> = query.split('&').filter(|part| part.starts_with("resourceVersion")).collect();
        assert_eq!(parts, ["resourceVersionMatch=NotOlderThan", "resourceVersion="], "{query}");
    }
}
