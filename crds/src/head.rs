//! ZoneHead: the only thing about a published zone that changes. Its name is that of [`crate::head_name`]; it is
//! written by compare-and-swap on resourceVersion.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::published::{self, Holder, PublishedSoa};

/// What is published of a zone: its serial, the checkpoint it builds on and the changes since. Written by the
/// operator alone.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "port53.dev",
    version = "v1alpha1",
    kind = "ZoneHead",
    plural = "zoneheads",
    namespaced,
    derive = "PartialEq",
    shortname = "zhead",
    category = "port53",
    doc = "What is published of a zone: its serial, the checkpoint it builds on and the changes since. Written by the operator alone.",
    selectable = ".spec.domain",
    printcolumn(name = "Domain", type_ = "string", json_path = ".spec.domain"),
    printcolumn(name = "State", type_ = "string", json_path = ".spec.state"),
    printcolumn(name = "Serial", type_ = "integer", json_path = ".spec.serial"),
    printcolumn(name = "RRsets", type_ = "integer", json_path = ".spec.rrsets"),
    printcolumn(name = "Pinned", type_ = "integer", json_path = ".spec.pinned"),
    printcolumn(name = "Checkpoint", type_ = "integer", json_path = ".spec.checkpoint.serial"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Held by", type_ = "string", priority = "1", json_path = ".spec.zoneRef.namespace"),
    printcolumn(name = "Zone", type_ = "string", priority = "1", json_path = ".spec.zoneRef.name")
)]
#[serde(rename_all = "camelCase")]
pub struct ZoneHeadSpec {
    /// The name of the zone. Immutable.
    #[schemars(schema_with = "published::domain")]
    pub domain: String,
    /// The Zone that holds the domain.
    pub zone_ref: Holder,
    /// Whether the zone is served. Only Withdrawn takes it out of service; that a head is missing does not.
    pub state: HeadState,
    /// The serial that is published. From 0 to 4294967295.
    #[schemars(schema_with = "published::unsigned")]
    pub serial: u32,
    /// The start of authority, but for its serial.
    pub soa: PublishedSoa,
    /// The digest of the whole content at this serial, however it is cut into slices.
    #[schemars(schema_with = "published::digest")]
    pub digest: String,
    /// How many RRsets there are at this serial, without the SOA.
    #[schemars(schema_with = "published::rrsets")]
    pub rrsets: u64,
    /// The version that the journal builds on.
    pub checkpoint: Checkpoint,
    /// The changes since the checkpoint, in base64; empty for none. At most 64 KiB before base64.
    #[serde(default)]
    #[schemars(schema_with = "published::journal")]
    pub journal: String,
    /// The serial of the revision that a person rolled the zone back to, while it is pinned there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "published::unsigned")]
    pub pinned: Option<u32>,
    /// Who may transfer the zone: a prefix of addresses, or key: and the name of a TSIG key. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "published::allowed")]
    pub transfer: Vec<String>,
    /// While the zone moves here from a legacy DNS: who answers for it. Left out, every nameserver here does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarding: Option<Forwarding>,
    /// While a change is to be at a legacy DNS and here, or at neither: the changes that are on their way. Left out, changes
    /// are published whatever legacy has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dual_write: Option<HeadDualWrite>,
}

/// Changes that are to be at a legacy DNS and here, or at neither.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct HeadDualWrite {
    /// What was meant before the first of the two writes, a name each. At most 32.
    #[serde(default)]
    #[schemars(schema_with = "published::intents")]
    pub intents: Vec<Intent>,
}

/// What one name is to be at a legacy DNS and here.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// The owner name, absolute.
    #[schemars(length(max = 1004))]
    pub name: String,
    /// Whether it is brought forward or put back.
    pub way: Way,
    /// The changes that make it what it is to be, as in a journal, in base64.
    #[schemars(schema_with = "published::journal")]
    pub new: String,
    /// The changes that make it what it was.
    #[schemars(schema_with = "published::journal")]
    pub old: String,
    /// The serial that legacy was seen to have before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "published::unsigned")]
    pub legacy_serial: Option<u32>,
}

/// Where an intent goes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Way {
    /// Legacy is to have what is new, then this.
    Forward,
    /// Both are to have what they had.
    Back,
}

/// Whether a published zone is served.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum HeadState {
    /// It is.
    Serving,
    /// It no longer is: questions for it are refused.
    Withdrawn,
}

/// Who answers for a zone that moves here from a legacy DNS: nameservers that are cut over by themselves, all others
/// with what legacy says.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Forwarding {
    /// Where legacy answers, over UDP and TCP, such as 192.0.2.53:53 or [2001:db8::53]:53. The first is asked first. 1
    /// to 8.
    #[schemars(schema_with = "published::legacy_addresses")]
    pub addresses: Vec<String>,
    /// The nameservers, by their names in the NameserverSet, that answer by themselves. At most 26.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "published::cut_over")]
    pub cut_over: Vec<String>,
    /// Whether what is forwarded is answered here too, after the client has its answer, and both are compared.
    #[serde(default)]
    pub compare: bool,
    /// Who answers when legacy does not in time.
    pub otherwise: Otherwise,
    /// How long legacy may take, in milliseconds. From 100 to 5000.
    #[serde(default = "default_timeout")]
    #[schemars(schema_with = "published::legacy_timeout")]
    pub timeout_milliseconds: u32,
    /// Owner names, absolute, of which each side has records of its own: answers to questions for them are not compared. At
    /// most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "published::left_out")]
    pub not_compared: Vec<String>,
}

/// Who answers when a legacy DNS does not in time.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Otherwise {
    /// The nameserver that was asked, from what is published here.
    Port53,
    /// The same, unless it has what legacy last said to the same question, at most a day ago.
    LastKnown,
}

fn default_timeout() -> u32 {
    published::LEGACY_TIMEOUT
}

/// A version of a zone that is stored as slices, with all that is needed to read it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Checkpoint {
    /// Its serial.
    #[schemars(schema_with = "published::unsigned")]
    pub serial: u32,
    /// The name of its top slice. Left out when the zone has nothing but its SOA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "published::digest")]
    pub root: Option<String>,
    /// The digest of its whole content.
    #[schemars(schema_with = "published::digest")]
    pub digest: String,
    /// What salts the cuts between its slices.
    #[schemars(schema_with = "published::salt")]
    pub salt: String,
    /// The ZoneRevision that keeps it.
    #[schemars(schema_with = "bounds::object_name")]
    pub revision: String,
}
