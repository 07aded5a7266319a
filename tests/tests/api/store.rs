//! What the operator writes, as the API server takes it.

use crate::published::Published;
use port53_operator::cluster::store::{Store, WriteError};
use port53_tests::cluster;

/// The 404 of a POST is about the namespace, not about an object that someone else changed.
#[test]
fn a_head_in_a_namespace_that_does_not_exist_is_refused_and_says_so() {
    let cluster = cluster::shared();
    let there = cluster.create_namespace("there");
    let zone = Published::new(cluster, &there, "example.com", 0);
    let put = |namespace: &str| {
        let store = Store::new(&cluster.client(), namespace);
        cluster.block_on(async || store.put_head(&zone.head, None).await)
    };
    let said = "namespace nowhere does not exist: create it or correct --namespace";
    assert_eq!(put("nowhere"), Err(WriteError::Refused(said.to_owned())));
    assert_eq!(put(&there), Err(WriteError::Conflict), "it is there already");
}
