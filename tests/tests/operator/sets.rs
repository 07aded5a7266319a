//! Whose Zones an operator looks after, where there are several in a cluster.

use crate::{record, shared, zone, zone_with};

/// What another operator looks after is neither published nor told anything here.
#[test]
fn a_zone_that_names_nameservers_of_another_namespace_is_left_alone() {
    let platform = shared();
    let (namespace, domain) = platform.place("sets");
    let named = "nameserverSetRef: {name: public, namespace: elsewhere}";
    platform.apply(&zone_with(&namespace, "other", &format!("other.{domain}"), named));
    platform.apply(&record(&namespace, "theirs", "other", "name: www, type: A, values: [192.0.2.1]"));
    // All of this is looked at after that.
    platform.apply(&zone(&namespace, "here", &domain));
    platform.apply(&record(&namespace, "ours", "here", "name: www, type: A, values: [192.0.2.1]"));
    platform.comes_to("dnsrecord", &namespace, "ours", "Ready=True Served");
    assert!(platform.head(&format!("other.{domain}")).is_none(), "it is not published");
    for (kind, name) in [("zone", "other"), ("dnsrecord", "theirs")] {
        let object = platform.get(kind, &namespace, name).expect("it is there");
        assert_eq!(object["status"]["observedGeneration"], -1, "{kind} is told nothing: {object}");
    }
    // One that names this namespace is.
    let named = "nameserverSetRef: {name: public, namespace: port53}";
    platform.apply(&zone_with(&namespace, "named", &format!("named.{domain}"), named));
    platform.comes_to("zone", &namespace, "named", "Ready=True Served");
    // The same domain can be held here and there.
    let again = "nameserverSetRef: {name: public, namespace: elsewhere}";
    platform.apply(&zone_with(&namespace, "again", &domain, again));
    platform.apply(&record(&namespace, "more", "here", "name: more, type: A, values: [192.0.2.1]"));
    platform.comes_to("dnsrecord", &namespace, "more", "Ready=True Served");
}
