//! What the statuses of the objects of a zone say.

use crate::PATIENCE;
use crate::input::{Input, Key};
use kube::api::{ApiResource, ListParams};
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt};
use port53_crds::{DNSRecord, Zone};
use port53_operator::convert;
use port53_zone::{Name, name, rdata};
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

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

/// A zone that was imported.
pub(crate) struct Imported {
    /// The name of its Zone.
    zone: String,
    apex: Name,
    /// How many DNSRecords there have to be.
    records: usize,
}

impl Imported {
    /// Of a zone with so many DNSRecords.
    pub(crate) fn new(input: &Input, records: usize) -> Result<Self, Box<dyn Error>> {
        let apex = Name::from_octets(input.apex.clone().into())?;
        Ok(Imported { zone: convert::zone_object_name(&apex), apex, records })
    }
}

impl Objects {
    pub(crate) fn new(client: &Client, namespace: &str) -> Self {
        let api = |resource: ApiResource| Api::namespaced_with(client.clone(), namespace, &resource);
        Objects {
            zones: api(ApiResource::erase::<Zone>(&())),
            records: api(ApiResource::erase::<DNSRecord>(&())),
        }
    }

    /// Waits until every record of a zone is served or rejected, and the Zone is Ready.
    pub(crate) async fn settle(&self, imported: &Imported) -> Result<(), Box<dyn Error>> {
        let expected = imported.records;
        let (mut until, mut last) = (Instant::now() + PATIENCE, 0);
        loop {
            let said = self.said(imported).await?;
            let settled = said.served + said.rejected.len();
            if settled == expected {
                return self.zone_is_ready(&imported.zone).await;
            }
            if settled > last {
                (last, until) = (settled, Instant::now() + PATIENCE);
            }
            if Instant::now() > until {
                let some: Vec<_> = said.waiting.iter().take(5).map(String::as_str).collect();
                return Err(format!(
                    "zone {}: {settled} of {expected} records are served or rejected, and no more come: {}",
                    imported.zone,
                    some.join("; ")
                )
                .into());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What the records of a zone say.
    pub(crate) async fn said(&self, imported: &Imported) -> Result<Said, Box<dyn Error>> {
        let params = ListParams::default().fields(&format!("spec.zoneRef.name={}", imported.zone));
        let mut said = Said::default();
        for record in self.records.list(&params).await? {
            let generation = record.metadata.generation;
            let [ready, accepted] = ["Ready", "Accepted"].map(|type_| condition(&record, type_));
            match (ready, accepted) {
                (Some(ready), _) if ready["status"] == "True" => said.served += 1,
                (_, Some(accepted)) if accepted["status"] == "False" => {
                    let why = (text(&accepted["reason"]), text(&accepted["message"]));
                    said.rejected.insert(key(&record, &imported.apex)?, why);
                }
                // In the zone; what is answered at its name is the delegation above it.
                (Some(ready), _) if ready["reason"] == "Occluded" => said.served += 1,
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
