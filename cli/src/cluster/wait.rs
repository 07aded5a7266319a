//! Following objects as they change, by a watch: nothing is asked again and again.
//!
//! A watch begins after the version at which something is known, so nothing that happens after it is missed. When
//! the API server no longer has that version everything is listed; what is waited for and not in the list is gone.

use std::collections::BTreeSet;

use kube::Error;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::ResourceExt;
use port53_client::watch::{Follower, Told, What};
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::{Cluster, PAGE, send};

/// Events that wait to be looked at.
const BACKLOG: usize = 1024;

/// Objects of one kind in one namespace.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    pub(crate) kind: String,
    pub(crate) namespace: String,
}

/// What is seen.
pub(crate) enum Seen {
    /// An object as it is now.
    Object(Place, Box<DynamicObject>),
    /// One of that name is no more.
    Gone(Place, String),
    /// Those of these names are all that there are.
    All(Place, BTreeSet<String>),
}

/// Follows the objects of some places. Dropped, it stops.
pub(crate) struct Following {
    messages: Receiver<Told<Place>>,
    /// Names in the list that is being read, by place.
    listing: Vec<(Place, BTreeSet<String>)>,
    /// Why nothing can be heard.
    lost: Option<String>,
    _followers: JoinSet<()>,
}

impl Cluster {
    /// The version at which the objects of a place are as they are.
    ///
    /// # Errors
    /// As the API server says.
    pub(crate) async fn version_of_place(&self, place: &Place) -> Result<String, Error> {
        let api: Api<DynamicObject> = self.plain(&place.kind, &place.namespace);
        let params = ListParams::default().limit(1);
        let list = send::asked(|| api.list(&params)).await?;
        Ok(list.metadata.resource_version.unwrap_or_default())
    }

    /// Follows what changes in each place after a version.
    pub(crate) fn follow(&self, places: impl IntoIterator<Item = (Place, String)>) -> Following {
        let (sender, messages) = mpsc::channel(BACKLOG);
        let mut followers = JoinSet::new();
        for (place, version) in places {
            let api = self.plain(&place.kind, &place.namespace);
            let follower = Follower { page: PAGE, ..Follower::new(api, place, sender.clone()) };
            followers.spawn(follower.run_after(version));
        }
        Following { messages, listing: Vec::new(), lost: None, _followers: followers }
    }
}

impl Following {
    /// What is seen next; nothing when that does not come before `until`.
    pub(crate) async fn next(&mut self, until: Instant) -> Option<Seen> {
        loop {
            let Told { kind: place, what } = timeout_at(until, self.messages.recv()).await.ok()??;
            match what {
                What::ListBegins => {
                    self.listing.retain(|(listed, _)| *listed != place);
                    self.listing.push((place, BTreeSet::new()));
                }
                What::Object(object) => {
                    if let Some((_, names)) = self.listing.iter_mut().find(|(listed, _)| *listed == place) {
                        names.insert(object.name_any());
                    }
                    return Some(Seen::Object(place, object));
                }
                What::Deleted(object) => return Some(Seen::Gone(place, object.name_any())),
                What::Listed => {
                    if let Some(at) = self.listing.iter().position(|(listed, _)| *listed == place) {
                        return Some(Seen::All(place, self.listing.swap_remove(at).1));
                    }
                }
                What::Following => self.lost = None,
                What::Lost(why) => self.lost = Some(why),
            }
        }
    }

    /// Why nothing can be heard, while that is so.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }
}
