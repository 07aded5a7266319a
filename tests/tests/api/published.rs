//! A zone as an operator would publish it, written by the test itself.

use kube::api::{Api, DeleteParams, PostParams};
use kube::{Client, Error, ResourceExt};
use port53_crds::{HeadState, Holder, ZoneHead, ZoneSlice};
use port53_store::{Checkpoint, Head, slice_object};
use port53_tests::cluster::Cluster;
use port53_zone::content::{Change, Content, Digest};
use port53_zone::{Name, RRset, Rtype, name, rdata};
use std::sync::Arc;

/// A zone, and where it is published.
pub(crate) struct Published<'c> {
    cluster: &'c Cluster,
    client: Client,
    namespace: String,
    /// What is published, or will be next.
    pub(crate) head: Head,
    /// The content of its checkpoint.
    pub(crate) checkpoint: Content,
}

impl<'c> Published<'c> {
    /// A zone of NS, `www` and `hosts` further names, published with serial 1.
    pub(crate) fn new(cluster: &'c Cluster, namespace: &str, apex: &str, hosts: usize) -> Self {
        let apex = name::parse_absolute(apex).expect("a name");
        let mut changes =
            vec![put(&apex, "@", Rtype::NS, "ns1.example.net."), put(&apex, "www", Rtype::A, "192.0.2.1")];
        changes.extend((0..hosts).map(|host| put(&apex, &format!("host{host}"), Rtype::A, "198.51.100.7")));
        let checkpoint = Content::empty(apex.clone(), [7; 16]).apply(&changes).expect("applies").content;
        let head = Head {
            holder: Holder { namespace: "dns".to_owned(), name: "zone".to_owned() },
            state: HeadState::Serving,
            soa: port53_tests::soa(&apex, 1),
            digest: checkpoint.digest(),
            rrsets: checkpoint.len() as u64,
            checkpoint: Checkpoint::of(&checkpoint, 1),
            journal: Vec::new(),
            pinned: None,
            transfer: Vec::new(),
            forwarding: None,
            intents: None,
            apex,
        };
        let zone = Published::of(cluster, namespace, head, checkpoint);
        zone.write_slices();
        zone.write();
        zone
    }

    /// One that is published already.
    pub(crate) fn of(cluster: &'c Cluster, namespace: &str, head: Head, checkpoint: Content) -> Self {
        Published { cluster, client: cluster.client(), namespace: namespace.to_owned(), head, checkpoint }
    }

    /// What [`Published::of`] takes, once the cluster has been stopped.
    pub(crate) fn parts(self) -> (Head, Content) {
        (self.head, self.checkpoint)
    }

    /// The next serial, with this A record of `owner`, by one write of the head.
    pub(crate) fn publish(&mut self, owner: &str, address: &str) {
        let change = put(&self.head.apex, owner, Rtype::A, address);
        self.head.journal.push(change);
        self.head.soa.serial += 1;
        let content = self.checkpoint.apply(&self.head.journal).expect("applies").content;
        (self.head.digest, self.head.rrsets) = (content.digest(), content.len() as u64);
        self.write();
    }

    /// Makes what is published a checkpoint, of the same serial.
    pub(crate) fn make_checkpoint(&mut self) {
        self.checkpoint = self.head.content(&self.checkpoint).expect("what is published");
        self.head.checkpoint = Checkpoint::of(&self.checkpoint, self.head.soa.serial);
        self.head.journal.clear();
        self.write_slices();
        self.write();
    }

    /// Writes the head as it is here, whatever is there.
    pub(crate) fn write(&self) {
        self.write_object(self.head.to_object(&self.namespace));
    }

    /// Writes this as the head.
    pub(crate) fn write_object(&self, mut object: ZoneHead) {
        let heads = self.heads();
        self.cluster.block_on(async || {
            object.metadata.resource_version = heads
                .get_opt(&object.name_any())
                .await
                .expect("a look")
                .and_then(|head| head.resource_version());
            match object.resource_version() {
                None => heads.create(&PostParams::default(), &object).await.expect("it is created"),
                Some(_) => heads
                    .replace(&object.name_any(), &PostParams::default(), &object)
                    .await
                    .expect("it is replaced"),
            };
        });
    }

    /// The head as an object, to be edited.
    pub(crate) fn object(&self) -> ZoneHead {
        self.head.to_object(&self.namespace)
    }

    pub(crate) fn delete_head(&self) {
        let (heads, name) = (self.heads(), self.head.name());
        self.cluster.block_on(async || heads.delete(&name, &DeleteParams::default()).await.expect("it goes"));
    }

    pub(crate) fn delete_slice(&self, digest: &Digest) {
        let (slices, name) = (self.slices(), digest.to_string());
        self.cluster
            .block_on(async || slices.delete(&name, &DeleteParams::default()).await.expect("it goes"));
    }

    /// Posts the slices of the checkpoint; those that are there stay.
    pub(crate) fn write_slices(&self) {
        let slices = self.slices();
        let objects: Vec<ZoneSlice> = self
            .checkpoint
            .slices()
            .map(|(digest, slice)| slice_object(&self.namespace, &digest, &slice))
            .collect();
        self.cluster.block_on(async || {
            for object in &objects {
                match slices.create(&PostParams::default(), object).await {
                    Err(Error::Api(status)) if status.is_already_exists() => {}
                    created => drop(created.expect("a slice is created")),
                }
            }
        });
    }

    pub(crate) fn slices(&self) -> Api<ZoneSlice> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn heads(&self) -> Api<ZoneHead> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

fn put(apex: &Name, owner: &str, rtype: Rtype, value: &str) -> Change {
    let owner = name::parse(owner, apex).expect("a name");
    let value = rdata::parse_value(rtype, value).expect("a value");
    let owned_by: Arc<str> = "dns/www".into();
    Change::Put { rrset: RRset::new(owner, rtype, 300, [value]), owner: Some(owned_by) }
}
