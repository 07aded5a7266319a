//! Which NameserverSet answers for a zone, and whether it takes it.

use port53_crds::{Reason, Zone, ZoneGrant};
use port53_zone::{Name, name};

use super::covers;
use crate::objects::{Objects, namespaced};
use crate::stages::gather::labels;
use crate::stages::{SetTerms, Settings};
use crate::verdict::Complaint;

/// The hostnames of the nameservers of a zone that names none itself: those of the settings, and those of its set.
///
/// # Errors
/// When no set takes it.
pub(super) fn nameservers(
    settings: &Settings,
    objects: &Objects,
    zone: &Zone,
    apex: &Name,
) -> Result<Vec<Name>, Box<Complaint>> {
    let of_set = match set(settings, objects, zone, apex)? {
        Some(set) => set.nameservers.as_slice(),
        None => &[],
    };
    let mut all = settings.nameservers.clone();
    all.extend(of_set.iter().filter(|hostname| !settings.nameservers.contains(hostname)).cloned());
    Ok(all)
}

/// The set that a zone names, or else the first that takes it. None where none is known.
fn set<'s>(
    settings: &'s Settings,
    objects: &Objects,
    zone: &Zone,
    apex: &Name,
) -> Result<Option<&'s SetTerms>, Box<Complaint>> {
    let Some(sets) = &settings.sets else { return Ok(None) };
    let (namespace, _) = namespaced(&zone.metadata);
    let takes = |set: &&SetTerms| takes(set, objects, namespace, apex);
    let domain = name::display(apex);
    let (field, candidates): (&str, Vec<&SetTerms>) = match &zone.spec.nameserver_set_ref {
        None => ("spec.domain", sets.iter().collect()),
        Some(named) => {
            let found: Vec<&SetTerms> = sets.iter().filter(|set| set.name == named.name).collect();
            if found.is_empty() {
                let whose = named.namespace.as_ref().map(|whose| format!("{whose}/")).unwrap_or_default();
                let message = format!("there is no NameserverSet {whose}{}", named.name);
                let fix = "name one that is there: kubectl get nameserversets -A";
                let reason = Reason::NameserverSetNotFound;
                return Err(Box::new(Complaint::error(reason, "spec.nameserverSetRef", message, fix)));
            }
            ("spec.nameserverSetRef", found)
        }
    };
    let Some(first) = candidates.first() else { return Ok(None) };
    if let Some(set) = candidates.iter().copied().find(takes) {
        return Ok(Some(set));
    }
    let set = format!("NameserverSet {}/{}", first.namespace, first.name);
    let message = format!("{set} does not take {domain} of namespace {namespace}");
    let fix = format!(
        "ask for an entry in its spec.allowedZones with namespace {namespace} and the domain {}",
        domain.trim_end_matches('.')
    );
    Err(Box::new(Complaint::error(Reason::NotPermitted, field, message, fix)))
}

/// Whether a set takes a zone of a namespace.
fn takes(set: &SetTerms, objects: &Objects, namespace: &str, apex: &Name) -> bool {
    if set.allowed.is_empty() {
        return set.namespace == namespace;
    }
    let labels = labels(objects, namespace);
    let is_of = |pattern: &String| pattern == "*" || covers(pattern, apex, &name::root());
    let is_granted = |grant: &ZoneGrant| {
        grant.namespaces.matches(&labels) && (grant.domains.is_empty() || grant.domains.iter().any(is_of))
    };
    set.allowed.iter().any(is_granted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::MissingZone;
    use port53_zone::rules::Limits;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn terms(name: &str, allowed: Value) -> SetTerms {
        SetTerms {
            namespace: "port53".to_owned(),
            name: name.to_owned(),
            allowed: serde_json::from_value(allowed).expect("grants"),
            nameservers: vec![name::parse_absolute(&format!("ns1.{name}.example")).expect("a name")],
        }
    }

    fn asked(
        sets: Option<Vec<SetTerms>>,
        namespace: &str,
        domain: &str,
        named: Value,
    ) -> Result<String, String> {
        let settings = Settings {
            now: 0,
            salt: [0; 16],
            limits: Limits::default(),
            nameservers: Vec::new(),
            sets: sets.map(Arc::from),
            apexes: BTreeMap::new(),
            missing_zone: MissingZone::Keep,
        };
        let team = BTreeMap::from([("team".to_owned(), "shop".to_owned())]);
        let objects = Objects {
            namespaces: Arc::new(BTreeMap::from([("shop".to_owned(), team)])),
            ..Objects::default()
        };
        let zone: Zone = serde_json::from_value(json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "Zone",
            "metadata": {"namespace": namespace, "name": "z"},
            "spec": {"domain": domain, "nameserverSetRef": named},
        }))
        .expect("a Zone");
        let apex = name::parse_absolute(domain).expect("a name");
        match nameservers(&settings, &objects, &zone, &apex) {
            Ok(all) => Ok(all.iter().map(name::display).collect()),
            Err(complaint) => Err(format!(
                "{:?} {}: {}: {}",
                complaint.reason, complaint.field, complaint.message, complaint.fix
            )),
        }
    }

    #[test]
    fn a_set_takes_the_zones_of_its_namespace_unless_it_says_more() {
        let own = || Some(vec![terms("public", json!([]))]);
        assert_eq!(asked(own(), "port53", "example.com", Value::Null).as_deref(), Ok("ns1.public.example."));
        assert_eq!(
            asked(own(), "shop", "example.com", Value::Null).expect_err("another namespace"),
            "NotPermitted spec.domain: NameserverSet port53/public does not take example.com. of namespace shop: ask for \
             an entry in its spec.allowedZones with namespace shop and the domain example.com"
        );
        let shop = json!([{
            "namespaces": {"matchLabels": {"team": "shop"}},
            "domains": ["example.com", "*.example.org"],
        }]);
        let set = || Some(vec![terms("public", shop.clone())]);
        for (namespace, domain, is_taken) in [
            ("shop", "example.com", true),
            ("shop", "a.example.org", true),
            ("shop", "a.b.example.org", true),
            ("shop", "example.org", false),
            ("shop", "www.example.com", false),
            ("labs", "example.com", false),
        ] {
            assert_eq!(
                asked(set(), namespace, domain, Value::Null).is_ok(),
                is_taken,
                "{namespace} {domain}"
            );
        }
        let every = || Some(vec![terms("public", json!([{"domains": ["*"]}]))]);
        assert!(asked(every(), "labs", ".", Value::Null).is_ok());
        assert!(asked(Some(vec![terms("public", json!([{}]))]), "labs", "example.com", Value::Null).is_ok());
    }

    #[test]
    fn a_zone_has_the_set_that_it_names_or_the_first_that_takes_it() {
        let sets = || {
            let labs = json!([{"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "labs"}}}]);
            Some(vec![terms("internal", labs), terms("public", json!([{}]))])
        };
        assert_eq!(asked(sets(), "labs", "example.com", Value::Null).as_deref(), Ok("ns1.internal.example."));
        assert_eq!(asked(sets(), "shop", "example.com", Value::Null).as_deref(), Ok("ns1.public.example."));
        let public = json!({"name": "public", "namespace": "port53"});
        assert_eq!(asked(sets(), "labs", "example.com", public).as_deref(), Ok("ns1.public.example."));
        let internal = json!({"name": "internal", "namespace": "port53"});
        let refused = asked(sets(), "shop", "example.com", internal).expect_err("it is not for shop");
        assert!(refused.starts_with("NotPermitted spec.nameserverSetRef: "), "{refused}");
        let other = json!({"name": "other", "namespace": "port53"});
        let refused = asked(sets(), "shop", "example.com", other).expect_err("it is not there");
        assert!(refused.starts_with(
            "NameserverSetNotFound spec.nameserverSetRef: there is no NameserverSet port53/other"
        ));
        // Nobody knows of sets, or there is none: then nothing is refused.
        assert_eq!(asked(None, "shop", "example.com", Value::Null).as_deref(), Ok(""));
        assert_eq!(asked(Some(Vec::new()), "shop", "example.com", Value::Null).as_deref(), Ok(""));
    }
}
