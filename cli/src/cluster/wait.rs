//! Following objects as they change, by a watch: nothing is asked again and again.
//!
//! A watch begins after a version that is known. When the API server no longer has that, or the connection is
//! lost, everything is read once and watched on from there.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use kube::Error;
use kube::api::{Api, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::ResourceExt;
use port53_client::{explain, is_passing, jittered};
use tokio::time::sleep;

use super::{field_is, listed};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What is seen.
pub(crate) enum Seen {
    /// An object as it is now.
    Object(DynamicObject),
    /// One that was deleted, as it was.
    Gone(DynamicObject),
    /// All that there are: any other is gone.
    All(Vec<DynamicObject>),
}

/// How a watch ended.
enum Ended {
    /// What was waited for came.
    Done,
    /// By itself: it can be taken up after this version.
    At(String),
    /// It cannot be taken up.
    Lost,
}

/// Follows the objects of `api`, or the one that is called `only`, until `take` says that it has seen what it
/// waits for. Begins after the version `after`, or with all that there is.
///
/// # Errors
/// What the API server refuses for sure.
pub(crate) async fn follow(
    api: &Api<DynamicObject>,
    only: Option<&str>,
    mut after: Option<String>,
    mut take: impl FnMut(Seen) -> bool,
) -> Result<(), Error> {
    let fields = only.map(|name| field_is("metadata.name", name));
    let mut pause = FIRST_PAUSE;
    loop {
        let version = match after.take() {
            Some(version) => version,
            None => {
                let params = ListParams { field_selector: fields.clone(), ..ListParams::default() };
                match listed(api, &params).await {
                    Ok((objects, version)) => {
                        if take(Seen::All(objects)) {
                            return Ok(());
                        }
                        version
                    }
                    Err(error) => {
                        lost(error)?;
                        pause = paused(pause).await;
                        continue;
                    }
                }
            }
        };
        match watch(api, fields.as_deref(), version, &mut take).await? {
            Ended::Done => return Ok(()),
            Ended::At(version) => (after, pause) = (Some(version), FIRST_PAUSE),
            Ended::Lost => pause = paused(pause).await,
        }
    }
}

/// Pauses, and says how long the next pause is.
async fn paused(pause: Duration) -> Duration {
    sleep(jittered(pause)).await;
    (pause * 2).min(LONGEST_PAUSE)
}

async fn watch(
    api: &Api<DynamicObject>,
    fields: Option<&str>,
    mut version: String,
    take: &mut impl FnMut(Seen) -> bool,
) -> Result<Ended, Error> {
    let params = WatchParams { field_selector: fields.map(str::to_owned), ..WatchParams::default() };
    let mut events = match api.watch(&params, &version).await {
        Ok(events) => pin!(events),
        Err(error) => return lost(error),
    };
    while let Some(event) = events.next().await {
        let (seen, now) = match event {
            Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                let now = object.resource_version().unwrap_or_default();
                (Seen::Object(object), now)
            }
            Ok(WatchEvent::Deleted(object)) => {
                let now = object.resource_version().unwrap_or_default();
                (Seen::Gone(object), now)
            }
            Ok(WatchEvent::Bookmark(bookmark)) => {
                version = bookmark.metadata.resource_version;
                continue;
            }
            Ok(WatchEvent::Error(status)) => return lost(Error::Api(status)),
            Err(error) => return lost(error),
        };
        version = now;
        if take(seen) {
            return Ok(Ended::Done);
        }
    }
    Ok(Ended::At(version))
}

/// Whether to begin anew after such an error: the version is too old, or the API server is not there.
fn lost(error: Error) -> Result<Ended, Error> {
    let is_old = matches!(&error, Error::Api(status) if status.code == 410);
    if is_old || is_passing(&error) {
        tracing::debug!(error = explain(&error), "a watch is lost");
        return Ok(Ended::Lost);
    }
    Err(error)
}
