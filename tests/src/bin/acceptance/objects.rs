//! Manifests into a cluster, and what their statuses say.

use crate::PATIENCE;
use crate::input::Key;
use futures::StreamExt;
use kube::api::{ApiResource, ListParams, Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt};
use port53_cli::yaml;
use port53_crds::{DNSRecord, Zone};
use port53_zone::{Name, name, rdata};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

/// Requests at once.
const AT_ONCE: usize = 32;
const POLL: Duration = Duration::from_millis(250);

/// The Zones and DNSRecords of a namespace.
pub(crate) struct Objects {
    zones: Api<DynamicObject>,
    records: Api<DynamicObject>,
}

/// What became of the records of a zone.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) served: usize,
    /// Reason and message, by owner and type.
    pub(crate) rejected: BTreeMap<Key, (String, String)>,
    /// What those who are neither say.
    waiting: Vec<String>,
}

/// A zone whose objects were applied.
pub(crate) struct Applied {
    /// The name of its Zone.
    zone: String,
    apex: Name,
    records: usize,
    /// What the API server refused.
    pub(crate) refused: Vec<String>,
}

impl Objects {
    pub(crate) fn new(client: &Client, namespace: &str) -> Self {
        let api = |resource: ApiResource| Api::namespaced_with(client.clone(), namespace, &resource);
        Objects {
            zones: api(ApiResource::erase::<Zone>(&())),
            records: api(ApiResource::erase::<DNSRecord>(&())),
        }
    }

    /// Applies the manifests of one zone on the server's side: the Zone, and when that is Ready its records.
    pub(crate) async fn apply(&self, directory: &Path) -> Result<Applied, Box<dyn Error>> {
        let objects = read(directory)?;
        let (zones, records): (Vec<&Value>, Vec<&Value>) =
            objects.iter().partition(|object| object["kind"] == "Zone");
        let [zone] = zones[..] else { return Err(format!("{} Zones, not one", zones.len()).into()) };
        let domain = zone["spec"]["domain"].as_str().ok_or("a Zone without a domain")?;
        let name = text(&zone["metadata"]["name"]);
        let apex = name::parse_absolute(domain)?;
        apply(&self.zones, zone).await?;
        self.zone_is_ready(&name).await?;
        let refused = futures::stream::iter(&records)
            .map(|record| async { apply(&self.records, record).await.err() })
            .buffer_unordered(AT_ONCE)
            .filter_map(|refused| async { refused });
        let refused = refused.collect::<Vec<String>>().await;
        Ok(Applied { zone: name, apex, records: records.len(), refused })
    }

    /// Waits until every record of a zone is served or rejected, and the Zone is Ready.
    pub(crate) async fn settle(&self, applied: &Applied) -> Result<(), Box<dyn Error>> {
        let expected = applied.records - applied.refused.len();
        let (mut until, mut last) = (Instant::now() + PATIENCE, 0);
        loop {
            let said = self.said(applied).await?;
            let settled = said.served + said.rejected.len();
            if settled == expected {
                return self.zone_is_ready(&applied.zone).await;
            }
            if settled > last {
                (last, until) = (settled, Instant::now() + PATIENCE);
            }
            if Instant::now() > until {
                let some: Vec<_> = said.waiting.iter().take(5).map(String::as_str).collect();
                return Err(format!(
                    "zone {}: {settled} of {expected} records are served or rejected, and no more come: {}",
                    applied.zone,
                    some.join("; ")
                )
                .into());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What the records of a zone say.
    pub(crate) async fn said(&self, applied: &Applied) -> Result<Said, Box<dyn Error>> {
        let params = ListParams::default().fields(&format!("spec.zoneRef.name={}", applied.zone));
        let mut said = Said::default();
        for record in self.records.list(&params).await? {
            let generation = record.metadata.generation;
            let [ready, accepted] = ["Ready", "Accepted"].map(|type_| condition(&record, type_));
            match (ready, accepted) {
                (Some(ready), _) if ready["status"] == "True" => said.served += 1,
                (_, Some(accepted)) if accepted["status"] == "False" => {
                    let why = (text(&accepted["reason"]), text(&accepted["message"]));
                    said.rejected.insert(key(&record, &applied.apex)?, why);
                }
                (ready, _) => {
                    let message =
                        ready.map_or_else(|| "nothing yet".to_owned(), |ready| text(&ready["message"]));
                    said.waiting
                        .push(format!("{} of generation {generation:?}: {message}", record.name_any()));
                }
            }
        }
        Ok(said)
    }

    async fn zone_is_ready(&self, name: &str) -> Result<(), Box<dyn Error>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let zone = self.zones.get(name).await?;
            let ready = condition(&zone, "Ready");
            if ready.is_some_and(|ready| ready["status"] == "True") {
                return Ok(());
            }
            if Instant::now() > until {
                let said = ready.map(|ready| text(&ready["message"])).unwrap_or_default();
                return Err(format!("Zone {name} does not come to be Ready: {said}").into());
            }
            tokio::time::sleep(POLL / 5).await;
        }
    }
}

/// The objects of all manifests of a directory.
fn read(directory: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    let mut objects = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        for document in yaml::documents(&std::fs::read(entry?.path())?) {
            objects.push(document.map_err(|problem| problem.to_string())?.value);
        }
    }
    Ok(objects)
}

/// Applies one object; the error says which and why not.
async fn apply(api: &Api<DynamicObject>, object: &Value) -> Result<(), String> {
    let name = text(&object["metadata"]["name"]);
    let applied = api.patch(&name, &PatchParams::apply("acceptance"), &Patch::Apply(object)).await;
    applied.map(drop).map_err(|error| format!("{name}: {}", port53_client::explain(&error)))
}

/// A condition of an object for its newest generation.
fn condition<'o>(object: &'o DynamicObject, type_: &str) -> Option<&'o Value> {
    let conditions = object.data["status"]["conditions"].as_array()?;
    let generation = object.metadata.generation?;
    conditions
        .iter()
        .find(|condition| condition["type"] == type_ && condition["observedGeneration"] == generation)
}

/// Owner and type of a record, as the input has them.
fn key(record: &DynamicObject, apex: &Name) -> Result<Key, Box<dyn Error>> {
    let spec = &record.data["spec"];
    let owner = name::parse(&text(&spec["name"]), apex)?;
    let rtype = rdata::parse_rtype(&text(&spec["type"])).ok_or("no such type")?;
    Ok((owner.as_slice().to_ascii_lowercase(), rtype.to_int()))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
