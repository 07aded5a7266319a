//! Events (events.k8s.io/v1): what a person should notice of an object. All of it is in the status too.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::{Api, Client};
use port53_crds::{API_VERSION, GROUP};

use super::people::MANAGER;
use super::store::in_time;
use crate::index::Key;

/// Of the text of an event.
const LONGEST_NOTE: usize = 1024;
/// Of the name of its object in its own.
const LONGEST_NAME: usize = 230;

/// What a person should notice.
#[derive(Clone, Debug)]
pub(crate) struct News {
    /// Whether something is wrong.
    pub(crate) is_warning: bool,
    /// What was done.
    pub(crate) action: &'static str,
    /// In one word.
    pub(crate) reason: String,
    /// For a person.
    pub(crate) note: String,
}

/// Writes an event about an object of Port53's. It is written once, and that it could not be is said in the log.
pub(crate) async fn tell(client: Client, kind: &str, (namespace, name): Key, uid: String, news: News) {
    let regarding = ObjectReference {
        api_version: Some(API_VERSION.to_owned()),
        kind: Some(kind.to_owned()),
        namespace: Some(namespace.clone()),
        name: Some(name.clone()),
        uid: Some(uid),
        ..ObjectReference::default()
    };
    let readable: String = name.chars().take(LONGEST_NAME).collect();
    let event = Event {
        metadata: ObjectMeta {
            // A generated name would be refused: its prefix may not end with a dot.
            name: Some(format!("{readable}.{:016x}", fastrand::u64(..))),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        action: Some(news.action.to_owned()),
        event_time: Some(MicroTime(Timestamp::now())),
        note: Some(news.note.chars().take(LONGEST_NOTE).collect()),
        reason: Some(news.reason),
        regarding: Some(regarding),
        reporting_controller: Some(format!("{GROUP}/{MANAGER}")),
        reporting_instance: Some(MANAGER.to_owned()),
        type_: Some(if news.is_warning { "Warning" } else { "Normal" }.to_owned()),
        ..Event::default()
    };
    let api: Api<Event> = Api::namespaced(client, &namespace);
    if let Err(error) = in_time(api.create(&PostParams::default(), &event)).await {
        tracing::warn!(kind, name, "an event cannot be written: {error}");
    }
}
