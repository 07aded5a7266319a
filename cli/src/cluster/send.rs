//! Writing objects: server-side apply, and patience with an API server that is gone or has too much to do.
//!
//! A request that could not be answered is sent again, with pauses that grow. That an object is applied twice
//! changes nothing. What the API server refuses for sure is not sent again.

use std::future::Future;
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Client, Error};
use port53_client::{explain, is_passing, jittered};
use port53_crds::{DNSRecord, Zone};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::Cluster;

/// Who applies objects, in their managedFields.
pub(crate) const MANAGER: &str = "port53";
/// How long a request may take, unless a person says otherwise.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// How long a request is sent again, unless a person says otherwise.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Cluster {
    /// Sends until the API server has an answer, or there is none for a minute. For what is written: a connection
    /// that is lost is made again.
    ///
    /// # Errors
    /// The last one.
    pub(crate) async fn patiently<T, F>(&self, send: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        sent_again(send, is_passing, PATIENCE, self.answered_within).await
    }

    /// Asks until the API server has time for an answer. For what is read: who cannot be reached is told at once.
    ///
    /// # Errors
    /// The last one.
    pub(crate) async fn asked<T, F>(&self, ask: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let is_busy = |error: &Error| matches!(error, Error::Api(_)) && is_passing(error);
        sent_again(ask, is_busy, PATIENCE, self.answered_within).await
    }
}

/// Each request may take as long as `answered_within` says, and all together about as long as `patience`.
async fn sent_again<T, F>(
    mut send: impl FnMut() -> F,
    is_worth_it: fn(&Error) -> bool,
    patience: Duration,
    answered_within: Duration,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let late = |_| {
            let seconds = answered_within.as_secs();
            Err(Error::Service(format!("the API server does not answer within {seconds} s").into()))
        };
        match timeout(answered_within, send()).await.unwrap_or_else(late) {
            Err(error) if is_worth_it(&error) && begun.elapsed() < patience => {
                tracing::debug!(error = explain(&error), "sent again");
            }
            answered => return answered,
        }
        sleep(jittered(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One of our kinds that people write, as an API of plain objects.
pub(crate) fn resource(kind: &str) -> ApiResource {
    match kind {
        "Zone" => ApiResource::erase::<Zone>(&()),
        _ => ApiResource::erase::<DNSRecord>(&()),
    }
}

/// Namespace and name of an object.
pub(crate) fn named(object: &Value) -> (&str, &str) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    (text("namespace"), text("name"))
}

/// `DNSRecord dns/www`.
pub(crate) fn called(object: &Value) -> String {
    let (namespace, name) = named(object);
    format!("{} {namespace}/{name}", object["kind"].as_str().unwrap_or_default())
}

impl Cluster {
    /// The objects of a Zone's or a DNSRecord's kind and namespace.
    pub(crate) fn like(&self, object: &Value) -> Api<DynamicObject> {
        self.plain(object["kind"].as_str().unwrap_or_default(), named(object).0)
    }

    /// Zones or DNSRecords of a namespace, as plain objects.
    pub(crate) fn plain(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let client: Client = self.client.clone();
        Api::namespaced_with(client, namespace, &resource(kind))
    }

    /// Applies an object: what it says is so afterwards, what it does not say stays.
    ///
    /// # Errors
    /// Why the API server refuses it, or that it does not answer.
    pub(crate) async fn apply(&self, object: &Value, is_forced: bool) -> Result<DynamicObject, Error> {
        let mut params = PatchParams::apply(MANAGER).validation_strict();
        params.force = is_forced;
        let api = self.like(object);
        let name = named(object).1;
        let change = Patch::Apply(object);
        let send = || api.patch(name, &params, &change);
        sent_again(send, is_passing, self.patience, self.answered_within).await
    }
}

/// Why an object was refused, with what to do.
pub(crate) fn refusal(error: &Error) -> String {
    match error {
        Error::Api(status) if status.code == 409 && status.message.contains("conflict") => {
            format!("{}: give --force-conflicts to take it over", status.message)
        }
        Error::Api(status) if matches!(status.code, 400 | 422) => status.message.clone(),
        other => explain(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;
    use std::cell::Cell;

    fn status(code: u16) -> Error {
        Error::Api(Box::new(Status { code, ..Status::default() }))
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_sent_again_and_what_is_sure_is_not() {
        for (code, expected) in [(429, 3), (503, 3), (422, 1), (409, 1)] {
            let sent = Cell::new(0);
            let send = || {
                sent.set(sent.get() + 1);
                let is_done = sent.get() == 3;
                async move { if is_done { Ok(()) } else { Err(status(code)) } }
            };
            let answer = sent_again(send, is_passing, PATIENCE, ANSWERED_WITHIN);
            assert_eq!(answer.await.is_ok(), expected == 3, "{code}");
            assert_eq!(sent.get(), expected, "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn patience_has_an_end() {
        let begun = Instant::now();
        let send = || async { Err::<(), _>(status(503)) };
        assert!(sent_again(send, is_passing, PATIENCE, ANSWERED_WITHIN).await.is_err());
        assert!(begun.elapsed() < PATIENCE * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_takes_no_longer_than_a_person_says() {
        let begun = Instant::now();
        let answer =
            sent_again(std::future::pending::<Result<(), _>>, |_| false, PATIENCE, Duration::from_secs(5));
        let why = explain(&answer.await.expect_err("nobody answers"));
        assert!(why.contains("within 5 s"), "{why}");
        assert_eq!(begun.elapsed().as_secs(), 5);
    }
}
