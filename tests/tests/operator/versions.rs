//! Every version of the objects of a namespace, as a watch tells of them.

use kube::api::{Api, ApiResource};
use port53_client::watch::{Follower, Told, What};
use port53_tests::PATIENCE;
use port53_tests::platform::Platform;
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

/// The versions from some moment on.
pub(crate) struct Versions<'p> {
    platform: &'p Platform,
    told: Receiver<Told<()>>,
}

impl<'p> Versions<'p> {
    /// Those of the kind `K` in a namespace that come from now on.
    pub(crate) fn of<K: kube::Resource<DynamicType = ()>>(platform: &'p Platform, namespace: &str) -> Self {
        let (messages, told) = channel(1024);
        let resource = ApiResource::erase::<K>(&());
        let api = Api::namespaced_with(platform.cluster.client(), namespace, &resource);
        let follower = Follower::new(api, (), messages);
        platform.cluster.block_on(async || drop(tokio::spawn(follower.run())));
        let mut versions = Versions { platform, told };
        let listed = |what: &What| matches!(what, What::Following);
        while !listed(&versions.what(|| format!("no list of {}", resource.plural))) {}
        versions
    }

    /// The next version of any of them.
    ///
    /// # Panics
    /// With what was missing, when none comes.
    pub(crate) fn next(&mut self, missing: impl Fn() -> String) -> Value {
        loop {
            if let What::Object(object) = self.what(&missing) {
                return serde_json::to_value(object).expect("JSON");
            }
        }
    }

    fn what(&mut self, missing: impl Fn() -> String) -> What {
        let told = self.platform.cluster.block_on(async || timeout(PATIENCE, self.told.recv()).await);
        told.unwrap_or_else(|_| panic!("{}", missing())).expect("it goes on").what
    }
}
