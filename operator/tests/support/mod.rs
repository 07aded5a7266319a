//! Objects as people write them, and the stages run over them.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use port53_crds::DNSRecord;
use port53_operator::objects::{MasterZone, ObjectRef, Objects};
use port53_operator::stages::{Inputs, MissingZone, Plan, Planner, Published, Settings};
use port53_operator::verdict::{Complaint, Outcome, Verdict};
use port53_zone::master::{Located, Options, Reader};
use port53_zone::{Name, Rtype, Soa, name, rdata, rules};
use serde_json::{Value, json};

pub(crate) fn settings() -> Settings {
    Settings {
        now: 1_795_536_000,
        salt: [7; 16],
        limits: rules::Limits::default(),
        nameservers: Vec::new(),
        sets: None,
        apexes: BTreeMap::new(),
        missing_zone: MissingZone::Keep,
    }
}

/// A cluster: what is written and what is published.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) objects: Objects,
    pub(crate) published: BTreeMap<Name, Published>,
    pub(crate) serials: BTreeMap<Name, Vec<u32>>,
    pub(crate) settings: Settings,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Cluster {
            objects: Objects::default(),
            published: BTreeMap::new(),
            serials: BTreeMap::new(),
            settings: settings(),
        }
    }

    pub(crate) fn namespace(mut self, name: &str, label: &str) -> Self {
        let labels = [("team".to_owned(), label.to_owned())].into();
        Arc::make_mut(&mut self.objects.namespaces).insert(name.to_owned(), labels);
        self
    }

    /// Adds the Zone `namespace/name`, or puts it in the place of the one there.
    pub(crate) fn zone(self, id: &str, domain: &str, more: Value) -> Self {
        self.zone_with(id, domain, json!({}), more)
    }

    pub(crate) fn zone_with(mut self, id: &str, domain: &str, metadata: Value, more: Value) -> Self {
        let (namespace, name) = id.split_once('/').expect("namespace/name");
        let mut spec = json!({"domain": domain, "nameservers": ["ns1.dns.example.net"]});
        merge(&mut spec, more);
        let mut full = json!({"namespace": namespace, "name": name});
        merge(&mut full, metadata);
        let zone = serde_json::from_value(json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "Zone", "metadata": full, "spec": spec
        }))
        .expect("a Zone");
        self = self.without_zone(id);
        self.objects.zones.push(zone);
        self
    }

    pub(crate) fn without_zone(mut self, id: &str) -> Self {
        self.objects.zones.retain(|zone| ObjectRef::of_zone(zone).to_string() != format!("Zone {id}"));
        self
    }

    /// Adds the DNSRecord `namespace/name` of the zone `dns/example-com`, or replaces it.
    pub(crate) fn record(self, id: &str, owner: &str, rtype: &str, values: &[&str]) -> Self {
        self.record_with(id, owner, rtype, values, json!({}), json!({}))
    }

    pub(crate) fn record_with(
        mut self,
        id: &str,
        owner: &str,
        rtype: &str,
        values: &[&str],
        metadata: Value,
        spec: Value,
    ) -> Self {
        let (namespace, name) = id.split_once('/').expect("namespace/name");
        let mut full = json!({"namespace": namespace, "name": name, "generation": 1});
        merge(&mut full, metadata);
        let mut all = json!({
            "zoneRef": {"namespace": "dns", "name": "example-com"},
            "name": owner, "type": rtype, "values": values,
        });
        merge(&mut all, spec);
        let record = serde_json::from_value(json!({
            "apiVersion": "port53.dev/v1alpha1", "kind": "DNSRecord", "metadata": full, "spec": all
        }))
        .expect("a DNSRecord");
        self = self.without(id);
        self.objects.records.put(record);
        self
    }

    pub(crate) fn without(mut self, id: &str) -> Self {
        let is_other =
            |record: &&Arc<DNSRecord>| ObjectRef::of_record(record).to_string() != format!("DNSRecord {id}");
        self.objects.records = self.objects.records.iter().filter(is_other).cloned().collect();
        self
    }

    /// Adds a master file, or replaces it.
    pub(crate) fn master(mut self, file: &str, text: &str) -> Self {
        let options = Options::default();
        let (mut soa, mut records, mut unread) = (None, Vec::new(), 0);
        for line in Reader::new(file, Box::new(text.as_bytes()), options) {
            match line {
                Ok(line) if line.value.rtype == Rtype::SOA && soa.is_none() => {
                    let value = Soa::from_rdata(&line.value.rdata, line.value.ttl).expect("a SOA");
                    let Located { position, end_line, .. } = line.clone();
                    soa = Some((line.value.name, Located { value, position, end_line }));
                }
                Ok(line) => records.push(line),
                Err(_) => unread += 1,
            }
        }
        let (apex, soa) = soa.expect("a SOA in the file");
        self.objects.master_zones.retain(|zone| &*zone.file != file);
        let master = MasterZone { file: file.into(), apex, soa, records, unread };
        self.objects.master_zones.push(Arc::new(master));
        self
    }

    pub(crate) fn without_master(mut self, file: &str) -> Self {
        self.objects.master_zones.retain(|zone| &*zone.file != file);
        self
    }

    pub(crate) fn plan(&self) -> Plan {
        self.plan_with(&mut Planner::default())
    }

    pub(crate) fn plan_with(&self, planner: &mut Planner) -> Plan {
        planner.plan(&Inputs {
            objects: &self.objects,
            published: &self.published,
            serials: &self.serials,
            settings: &self.settings,
        })
    }

    /// Publishes what the stages say.
    pub(crate) fn publish(self) -> Self {
        let plan = self.plan();
        self.publish_plan(plan)
    }

    pub(crate) fn publish_plan(mut self, plan: Plan) -> Self {
        for apex in plan.withdrawn {
            self.published.remove(&apex);
        }
        for zone in plan.zones {
            let published = Published { holder: zone.holder, content: zone.applied.content, soa: zone.soa };
            self.published.insert(zone.apex, published);
        }
        self
    }
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

pub(crate) fn n(text: &str) -> Name {
    name::parse_absolute(text).expect("a name")
}

/// `www.example.com. A 192.0.2.1`, a line for each record that is served, in canonical order.
pub(crate) fn served(plan: &Plan, apex: &str) -> Vec<String> {
    let zone = plan.zones.iter().find(|zone| zone.apex == n(apex)).expect("the zone is served");
    let mut lines = Vec::new();
    for (rrset, _) in zone.applied.content.iter() {
        for value in rrset.values() {
            lines.push(format!(
                "{} {} {}",
                name::display(&rrset.name),
                rdata::display_rtype(rrset.rtype),
                rdata::display(rrset.rtype, value)
            ));
        }
    }
    lines
}

/// The apexes that are served, in order.
pub(crate) fn zones(plan: &Plan) -> Vec<String> {
    plan.zones.iter().map(|zone| name::display(&zone.apex)).collect()
}

/// The verdict on `DNSRecord dns/www`.
pub(crate) fn verdict<'a>(plan: &'a Plan, object: &str) -> &'a Verdict {
    plan.verdicts().find(|verdict| verdict.object.to_string() == object).expect("a verdict")
}

/// Outcome and reasons of the complaints.
pub(crate) fn outcome(plan: &Plan, object: &str) -> (Outcome, Vec<&'static str>) {
    let verdict = verdict(plan, object);
    (verdict.outcome, verdict.complaints.iter().map(|complaint| complaint.reason.as_str()).collect())
}

pub(crate) fn only(plan: &Plan, object: &str) -> Complaint {
    let verdict = verdict(plan, object);
    assert_eq!(verdict.complaints.len(), 1, "{verdict:#?}");
    verdict.complaints[0].clone()
}
