//! ZoneRevision: an immutable checkpoint of a zone. Its name is that of [`crate::revision_name`].

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::published::{self, Holder, PublishedSoa};

/// A version of a zone that is kept: what history, diff and rollback are over. Written by the operator alone.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "port53.dev",
    version = "v1alpha1",
    kind = "ZoneRevision",
    plural = "zonerevisions",
    namespaced,
    derive = "PartialEq",
    shortname = "zrev",
    doc = "A version of a zone that is kept: what history, diff and rollback are over. Written by the operator alone.",
    selectable = ".spec.domain",
    printcolumn(name = "Domain", type_ = "string", json_path = ".spec.domain"),
    printcolumn(name = "Serial", type_ = "integer", json_path = ".spec.serial"),
    printcolumn(name = "RRsets", type_ = "integer", json_path = ".spec.rrsets"),
    printcolumn(name = "Octets", type_ = "integer", priority = "1", json_path = ".spec.octets"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self == oldSelf")
        .message("a ZoneRevision is immutable: create one of another serial and leave this one")
)]
#[serde(rename_all = "camelCase")]
pub struct ZoneRevisionSpec {
    /// The name of the zone.
    #[schemars(schema_with = "published::name")]
    pub domain: String,
    /// The Zone that held the domain.
    pub zone_ref: Holder,
    /// The serial. From 0 to 4294967295.
    #[schemars(schema_with = "published::unsigned")]
    pub serial: u32,
    /// The start of authority, but for its serial.
    pub soa: PublishedSoa,
    /// The name of its top slice. Left out when the zone has nothing but its SOA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "published::digest")]
    pub root: Option<String>,
    /// The digest of the whole content, however it is cut into slices.
    #[schemars(schema_with = "published::digest")]
    pub digest: String,
    /// What salts the cuts between its slices.
    #[schemars(schema_with = "published::salt")]
    pub salt: String,
    /// How many RRsets there are, without the SOA.
    #[schemars(schema_with = "published::rrsets")]
    pub rrsets: u64,
    /// Octets of the slices that were stored for it. What it shares with others was there.
    #[serde(default)]
    #[schemars(schema_with = "published::octets")]
    pub octets: u64,
}
