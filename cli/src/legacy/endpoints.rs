//! DNSEndpoints of external-dns (`externaldns.k8s.io/v1alpha1`), put into the zones that are known.
//!
//! A DNSEndpoint names hosts and says nothing of zones: those come with it, as Zones in the same manifests, or are
//! given. Each endpoint goes into the longest of them that its name is in. So `kubectl get zones,dnsendpoints -A -o
//! yaml` has all that is needed.
//!
//! An endpoint with a `setIdentifier` is one of several answers among which a provider chooses, and what
//! `providerSpecific` says is what a provider does beside answering: both are left out, but for settings whose value
//! is `false`. Two endpoints of one name and type are not put together, as external-dns does not: the first counts.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use port53_crds::MAX_TTL;
use port53_zone::master::Position;
use port53_zone::name::SortKey;
use port53_zone::{Name, RRset, Rdata, Rtype, name, rdata};
use serde_json::{Value, json};

use super::{LeftOut, LegacyZone};
use crate::finding::{Finding, MALFORMED};
use crate::yaml::{self, Document, Places, Reading};

/// The group of the kind, in any version.
const GROUP: &str = "externaldns.k8s.io/";
/// The TTL of an endpoint that states none: providers of external-dns have their own, and most have this.
pub const DEFAULT_TTL: u32 = 300;

/// What manifests hold.
#[derive(Debug, Default)]
pub struct Manifests {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// DNSEndpoints, of whatever content.
    pub endpoints: usize,
    found: Vec<Found>,
    /// The Zones, by domain.
    zones: BTreeMap<SortKey, Given>,
}

/// A zone that is known.
#[derive(Debug)]
struct Given {
    file: Arc<str>,
    apex: Name,
    object: Option<Value>,
}

/// An endpoint.
#[derive(Debug)]
struct Found {
    endpoint: Value,
    position: Position,
}

impl Manifests {
    /// Takes the manifests of a text. `file` is what it is called.
    pub fn take(&mut self, text: &[u8], file: &Arc<str>) {
        for document in yaml::read(text, Reading::LIST) {
            match document {
                Ok(Document { value, places, .. }) => {
                    Reader { file, places: &places, into: self }.object(value, "")
                }
                Err(problem) => {
                    let at = (problem.place.line, problem.place.column);
                    self.findings.push(Finding::error(file, at, MALFORMED, problem.message, problem.fix));
                }
            }
        }
    }

    /// The zones with what is in each, in canonical order of their names, and the endpoints that are in none. `given`
    /// are zones beside those in the manifests. Endpoints without a TTL have `default_ttl`.
    pub fn into_zones(self, given: &[Name], default_ttl: u32) -> (Vec<LegacyZone>, Vec<LeftOut>) {
        let mut zones: BTreeMap<SortKey, LegacyZone> = BTreeMap::new();
        let mut known = self.zones;
        for apex in given {
            let zone = Given { file: "--zone".into(), apex: apex.clone(), object: None };
            known.entry(SortKey::of(apex)).or_insert(zone);
        }
        for (key, Given { file, apex, object }) in known {
            let zone = LegacyZone { file, apex, object, rrsets: Vec::new(), left_out: Vec::new() };
            zones.insert(key, zone);
        }
        let mut homeless = Vec::new();
        let mut first: BTreeMap<(SortKey, Rtype), Position> = BTreeMap::new();
        for Found { endpoint, position } in self.found {
            let what = what(&endpoint);
            let owner = match owner(&endpoint) {
                Ok(owner) => owner,
                Err(why) => {
                    homeless.push(LeftOut { zone: None, position, what, why });
                    continue;
                }
            };
            let Some(zone) = zone_of(&mut zones, &owner) else {
                let why = "it is in none of the zones that are known: give its zone with --zone, or its Zone beside the \
                           DNSEndpoints";
                homeless.push(LeftOut { zone: None, position, what, why: why.to_owned() });
                continue;
            };
            let taken = rrset(&endpoint, owner, default_ttl).and_then(|rrset| {
                match first.entry((SortKey::of(&rrset.name), rrset.rtype)) {
                    Entry::Vacant(free) => {
                        free.insert(position.clone());
                        Ok(rrset)
                    }
                    Entry::Occupied(there) => Err(format!(
                        "{}:{} has this name and type already, and counts: put all targets into one of the two",
                        there.get().file,
                        there.get().line
                    )),
                }
            });
            match taken {
                Ok(rrset) => zone.rrsets.push((rrset, position)),
                Err(why) => zone.left_out.push(LeftOut { zone: None, position, what, why }),
            }
        }
        (zones.into_values().collect(), homeless)
    }
}

struct Reader<'a> {
    file: &'a Arc<str>,
    places: &'a Places,
    into: &'a mut Manifests,
}

impl Reader<'_> {
    /// Takes the object at `path` of the document.
    fn object(&mut self, mut value: Value, path: &str) {
        let text = |field: &str| value[field].as_str().unwrap_or_default();
        let (version, kind) = (text("apiVersion"), text("kind"));
        if kind == "List" || kind.ends_with("List") && value["items"].is_array() {
            if let Value::Array(items) = value["items"].take() {
                for (i, item) in items.into_iter().enumerate() {
                    self.object(item, &join(path, &format!("items[{i}]")));
                }
            }
        } else if kind == "DNSEndpoint" && version.starts_with(GROUP) {
            self.into.endpoints += 1;
            self.endpoints(&mut value, path);
        } else if kind == "Zone" && version == port53_crds::API_VERSION {
            self.zone(&value, path);
        }
    }

    fn endpoints(&mut self, value: &mut Value, path: &str) {
        let path = join(path, "spec.endpoints");
        match value["spec"]["endpoints"].take() {
            Value::Null => {}
            Value::Array(endpoints) => {
                for (i, endpoint) in endpoints.into_iter().enumerate() {
                    let position = self.position(&format!("{path}[{i}].dnsName"));
                    self.into.found.push(Found { endpoint, position });
                }
            }
            _ => self.refuse(&path, "spec.endpoints is no list", "write a list of endpoints"),
        }
    }

    fn zone(&mut self, value: &Value, path: &str) {
        let (metadata, spec) = (&value["metadata"], &value["spec"]);
        let domain = spec["domain"].as_str().unwrap_or_default();
        let apex = match name::parse_absolute(domain) {
            Ok(apex) if metadata["name"].is_string() => apex,
            Ok(_) => {
                return self.refuse(&join(path, "metadata"), "this Zone has no name", "write metadata.name");
            }
            Err(error) => {
                let message = format!("the domain {domain:?} of the Zone {error}");
                return self.refuse(&join(path, "spec.domain"), &message, "correct it");
            }
        };
        let object = Some(as_applied(value));
        let file = self.file.clone();
        match self.into.zones.entry(SortKey::of(&apex)) {
            Entry::Vacant(free) => {
                free.insert(Given { file, apex, object });
            }
            Entry::Occupied(_) => {
                let message = format!("there is another Zone of the domain {domain}");
                self.refuse(
                    &join(path, "spec.domain"),
                    &message,
                    "leave one of the two out; the first counts",
                );
            }
        }
    }

    fn position(&self, field: &str) -> Position {
        let place = self.places.of(field);
        Position { file: self.file.clone(), line: place.line, column: place.column }
    }

    fn refuse(&mut self, field: &str, message: &str, fix: &str) {
        let at = self.position(field);
        self.into.findings.push(Finding::error(self.file, (at.line, at.column), MALFORMED, message, fix));
    }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// An object without what an API server adds.
fn as_applied(object: &Value) -> Value {
    let mut metadata = serde_json::Map::new();
    for field in ["name", "namespace", "labels", "annotations"] {
        if let Some(value) = object["metadata"].get(field).filter(|value| !value.is_null()) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "metadata": metadata,
        "spec": object["spec"],
    })
}

/// The longest zone that a name is in.
fn zone_of<'z>(zones: &'z mut BTreeMap<SortKey, LegacyZone>, owner: &Name) -> Option<&'z mut LegacyZone> {
    let mut at = Some(owner.clone());
    while let Some(name) = at {
        let key = SortKey::of(&name);
        if zones.contains_key(&key) {
            return zones.get_mut(&key);
        }
        at = name.parent();
    }
    None
}

fn what(endpoint: &Value) -> String {
    let text = |field: &str| endpoint[field].as_str().unwrap_or("?");
    format!("{} {}", text("dnsName"), text("recordType"))
}

fn owner(endpoint: &Value) -> Result<Name, String> {
    let text = endpoint["dnsName"].as_str().ok_or("it has no dnsName: write one")?;
    name::parse_absolute(text).map_err(|error| format!("its dnsName {error}"))
}

/// The RRset of an endpoint, or why there is none.
fn rrset(endpoint: &Value, owner: Name, default_ttl: u32) -> Result<RRset, String> {
    if let Some(set) = endpoint["setIdentifier"].as_str().filter(|set| !set.is_empty()) {
        return Err(format!(
            "it is {set:?} of several answers among which its provider chooses (setIdentifier): Port53 has one for all; \
             write a DNSRecord with the values that are to be served"
        ));
    }
    check_provider(&endpoint["providerSpecific"])?;
    let text = endpoint["recordType"].as_str().ok_or("it has no recordType: write one")?;
    let rtype = rdata::parse_rtype(text).ok_or_else(|| {
        format!(
            "{text} is no type of records: see what its provider serves (dig), and write that as a DNSRecord"
        )
    })?;
    let ttl = match &endpoint["recordTTL"] {
        Value::Null => default_ttl,
        // external-dns has 0 for "as the provider likes".
        ttl => match ttl.as_u64().filter(|ttl| *ttl <= u64::from(MAX_TTL)) {
            Some(0) => default_ttl,
            Some(ttl) => ttl as u32,
            None => return Err(format!("its recordTTL is no number up to {MAX_TTL} (RFC 2181 section 8)")),
        },
    };
    let targets = endpoint["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    if targets.is_empty() {
        return Err("it has no targets: write some".to_owned());
    }
    let value = |target: &Value| -> Result<Rdata, String> {
        let text = target.as_str().ok_or("a target is no text: write it in quotes")?;
        rdata::parse_value(rtype, text).map_err(|error| format!("the target {text:?} {error}"))
    };
    Ok(RRset::new(owner, rtype, ttl, targets.iter().map(value).collect::<Result<Vec<_>, _>>()?))
}

fn check_provider(settings: &Value) -> Result<(), String> {
    let settings = settings.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_effective = |setting: &&Value| setting["value"] != "false" && setting["value"] != "";
    let names: Vec<&str> =
        settings.iter().filter(is_effective).map(|setting| setting["name"].as_str().unwrap_or("?")).collect();
    match names.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "it has settings of its provider, which may answer otherwise than with its targets ({}): see what is \
             served (dig), and write that as a DNSRecord",
            names.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINTS: &str = r#"apiVersion: v1
kind: List
items:
- apiVersion: port53.dev/v1alpha1
  kind: Zone
  metadata: {name: main, namespace: dns, resourceVersion: "7", managedFields: [{}]}
  spec: {domain: example.com}
  status: {observedGeneration: 1}
- apiVersion: externaldns.k8s.io/v1alpha1
  kind: DNSEndpoint
  metadata: {name: a, namespace: shop}
  spec:
    endpoints:
    - {dnsName: WWW.example.com, recordType: A, recordTTL: 60, targets: [192.0.2.2, 192.0.2.1]}
    - {dnsName: example.com, recordType: MX, targets: ["10 mail.example.com"]}
    - {dnsName: t.example.com., recordType: TXT, recordTTL: 0, targets: ["v=spf1; -all", '"a" "b"']}
    - {dnsName: a.sub.example.com, recordType: CNAME, targets: [www.example.com]}
    - {dnsName: WWW.example.COM, recordType: A, targets: [192.0.2.3]}
    - {dnsName: w.example.com, recordType: A, targets: [192.0.2.3], setIdentifier: blue}
    - {dnsName: p.example.com, recordType: A, targets: [192.0.2.3], providerSpecific: [{name: alias, value: "true"}]}
    - {dnsName: q.example.com, recordType: A, targets: [192.0.2.3], providerSpecific: [{name: alias, value: "false"}]}
    - {dnsName: other.example, recordType: A, targets: [192.0.2.3]}
    - {dnsName: s.example.com, recordType: SRV, targets: ["0 5 5060"]}
    - {dnsName: u.example.com, recordType: ALIAS, targets: [a.example.net]}
"#;

    #[test]
    fn endpoints_go_into_the_longest_zone_and_what_is_the_providers_is_left_out() {
        let mut manifests = Manifests::default();
        manifests.take(ENDPOINTS.as_bytes(), &"e.yaml".into());
        assert_eq!(manifests.findings, []);
        let sub = name::parse_absolute("sub.example.com").expect("a name");
        let (zones, homeless) = manifests.into_zones(&[sub], 300);
        let [main, sub] = &zones[..] else { panic!("{zones:?}") };
        let shown = |zone: &LegacyZone| {
            let one = |(rrset, position): &(RRset, Position)| {
                let values: Vec<String> =
                    rrset.values().iter().map(|value| rdata::display(rrset.rtype, value)).collect();
                let owner = name::display(&rrset.name);
                format!("{} {owner} {} {} {}", position.line, rrset.ttl, rrset.rtype, values.join(" | "))
            };
            zone.rrsets.iter().map(one).collect::<Vec<_>>()
        };
        assert_eq!(
            shown(main),
            [
                "14 WWW.example.com. 60 A 192.0.2.1 | 192.0.2.2",
                "15 example.com. 300 MX 10 mail.example.com.",
                "16 t.example.com. 300 TXT \"a\" \"b\" | \"v=spf1; -all\"",
                "21 q.example.com. 300 A 192.0.2.3",
            ]
        );
        assert_eq!(shown(sub), ["17 a.sub.example.com. 300 CNAME www.example.com."]);
        let object = main.object.as_ref().expect("its Zone");
        assert_eq!(object["metadata"], json!({"name": "main", "namespace": "dns"}));
        assert!(object.get("status").is_none());
        let told = |left_out: &[LeftOut]| {
            left_out.iter().map(|it| (it.position.line, it.what.clone(), it.why.clone())).collect::<Vec<_>>()
        };
        for ((line, what, why), (its_line, its_what, words)) in told(&main.left_out).into_iter().zip([
            (18, "WWW.example.COM A", "e.yaml:14 has this name and type already"),
            (19, "w.example.com A", "\"blue\" of several answers"),
            (20, "p.example.com A", "settings of its provider"),
            (23, "s.example.com SRV", "the target \"0 5 5060\""),
            (24, "u.example.com ALIAS", "is no type of records"),
        ]) {
            assert_eq!((line, &what[..]), (its_line, its_what));
            assert!(why.contains(words), "{why}");
        }
        assert_eq!(main.left_out.len(), 5);
        assert_eq!(homeless.len(), 1);
        assert!(homeless[0].why.contains("--zone"), "{homeless:?}");
    }
}
