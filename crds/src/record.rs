//! DNSRecord: one RRset of a zone.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{bounds, conditions};

/// One RRset of a zone: a name, a type, a TTL and the values.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "port53.dev",
    version = "v1alpha1",
    kind = "DNSRecord",
    plural = "dnsrecords",
    namespaced,
    status = "DNSRecordStatus",
    derive = "PartialEq",
    shortname = "dnsrec",
    category = "port53",
    doc = "One RRset of a zone: a name, a type, a TTL and the values.",
    selectable = ".spec.zoneRef.name",
    selectable = ".spec.name",
    selectable = ".spec.type",
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.zoneRef.name"),
    printcolumn(name = "Name", type_ = "string", json_path = ".spec.name"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "TTL", type_ = "integer", json_path = ".spec.ttl"),
    printcolumn(name = "Data", type_ = "string", json_path = ".spec.values"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#
    ),
    printcolumn(name = "Serving", type_ = "string", json_path = ".status.serving"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = "1",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    )
)]
#[x_kube(
    validation = Rule::new("!(self.type in ['CNAME', 'DNAME', 'TYPE5', 'TYPE39']) || self.values.size() == 1")
        .message("CNAME and DNAME have exactly one value: write one target, or records of type A and AAAA for several addresses")
        .field_path(".values"),
    validation = Rule::new("!(self.type in ['CNAME', 'TYPE5']) || self.name != '@'")
        .message("a CNAME cannot stand at the apex, beside SOA and NS: write A and AAAA records there (RFC 1034 section 3.6.2)")
        .field_path(".type"),
    validation = Rule::new("!(self.type in ['DS', 'TYPE43']) || self.name != '@'")
        .message("the DS of a zone belongs into the zone above it: write it there, under the name of this zone (RFC 4035 section 2.4)")
        .field_path(".type")
)]
#[serde(rename_all = "camelCase")]
pub struct DNSRecordSpec {
    /// The Zone that the record belongs to. Immutable.
    #[x_kube(
        validation = Rule::new("self == oldSelf")
            .message("zoneRef is immutable: create a DNSRecord with the other zone, then delete this one")
    )]
    pub zone_ref: ZoneRef,
    /// The owner name, relative to the zone; "@" is the apex, "*.shop" a wildcard. With a last dot it is
    /// absolute. Immutable.
    #[schemars(schema_with = "bounds::record_name")]
    pub name: String,
    /// The record type: a mnemonic in upper case, or TYPE and a number (RFC 3597). Immutable.
    #[serde(rename = "type")]
    #[schemars(schema_with = "bounds::record_type")]
    pub type_: String,
    /// Time to live in seconds. The zone's defaultTTL when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::seconds")]
    pub ttl: Option<u32>,
    /// The data of the records, each in presentation form, such as 192.0.2.10 or "10 mail.example.com". A
    /// value is not a line of a zone file: no comments, no parentheses; TXT without quotes is taken as it
    /// stands. Names in it are absolute, with or without the last dot. At most 512.
    #[schemars(schema_with = "bounds::values")]
    pub values: Vec<String>,
}

/// Names a Zone.
#[derive(Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ZoneRef {
    /// The name of the Zone object (not its domain).
    #[schemars(schema_with = "bounds::object_name")]
    pub name: String,
    /// Its namespace. That of the DNSRecord when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::namespace_name")]
    pub namespace: Option<String>,
}

/// What was seen of the record.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DNSRecordStatus {
    /// The generation of the spec that this status is about; -1 before anyone looked.
    #[serde(default = "crate::not_observed")]
    pub observed_generation: i64,
    /// The absolute name as it is published, whatever its spelling in the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub published_name: Option<String>,
    /// The serial of the zone that brought this generation into service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions::serial")]
    pub serial: Option<u32>,
    /// How many pods answered that serial, of how many: 6/6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub serving: Option<String>,
    /// Accepted and Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}

impl Default for DNSRecordStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::NOT_OBSERVED,
            published_name: None,
            serial: None,
            serving: None,
            conditions: Vec::new(),
        }
    }
}
