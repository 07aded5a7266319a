//! Zone: a domain that is served, and who may put what into it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::selector::NamespaceSelector;
use crate::{bounds, conditions};

/// A domain that is served: its SOA and nameservers, and who may attach records and child zones.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "port53.dev",
    version = "v1alpha1",
    kind = "Zone",
    plural = "zones",
    namespaced,
    status = "ZoneStatus",
    derive = "PartialEq",
    shortname = "dnszone",
    category = "port53",
    doc = "A domain that is served: its SOA and nameservers, and who may attach records and child zones.",
    selectable = ".spec.domain",
    printcolumn(name = "Domain", type_ = "string", json_path = ".spec.domain"),
    printcolumn(name = "Serial", type_ = "integer", json_path = ".status.serial"),
    printcolumn(name = "Records", type_ = "integer", json_path = ".status.records"),
    printcolumn(name = "Rejected", type_ = "integer", json_path = ".status.rejected"),
    printcolumn(name = "Serving", type_ = "string", json_path = ".status.serving"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#
    ),
    printcolumn(
        name = "Held",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Held")].status"#
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = "1",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    )
)]
#[x_kube(
    validation = Rule::new("(has(self.nameserverSetRef) && has(self.nameserverSetRef.__namespace__) ? self.nameserverSetRef.__namespace__ : '') == (has(oldSelf.nameserverSetRef) && has(oldSelf.nameserverSetRef.__namespace__) ? oldSelf.nameserverSetRef.__namespace__ : '')")
        .message("the namespace of nameserverSetRef is immutable, as others would answer from one moment to the next: create another Zone for the domain that names the other set, have the zone above delegate to its nameservers, then delete this one")
        .field_path(".nameserverSetRef")
)]
#[serde(rename_all = "camelCase")]
pub struct ZoneSpec {
    /// The name of the zone, with or without the last dot, such as example.com. Immutable.
    #[schemars(schema_with = "bounds::domain")]
    pub domain: String,
    /// The NameserverSet whose nameservers answer for the zone; the operator of its namespace publishes it. When left
    /// out, the one that takes Zones which name none. Its namespace is immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nameserver_set_ref: Option<NameserverSetRef>,
    /// Hostnames that the NS records at the apex name, absolute, with or without the last dot; a
    /// DNSRecord of type NS with the name "@" takes their place. At most 13.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounds::nameservers")]
    pub nameservers: Vec<String>,
    /// The start of authority, but for its serial, which is kept for you.
    #[serde(default)]
    pub soa: SoaSpec,
    /// How the next serial is chosen. It never goes backwards.
    #[serde(default)]
    pub serial_policy: SerialPolicy,
    /// The TTL in seconds of records that state none.
    #[serde(default = "default_ttl", rename = "defaultTTL")]
    #[schemars(schema_with = "bounds::seconds")]
    pub default_ttl: u32,
    /// Who may attach records, beyond this namespace. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub records: Vec<RecordGrant>,
    /// Who may hold a zone below this one, beyond this namespace. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub children: Vec<ChildGrant>,
    /// Who may have the whole zone, and who is told when it changes: its secondaries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<Transfer>,
    /// How much may be removed at once.
    #[serde(default)]
    pub guard: Guard,
    /// How long the zone is still served after the Zone was deleted, such as 1h.
    #[serde(default = "removal_delay")]
    #[schemars(schema_with = "bounds::duration")]
    pub removal_delay: String,
}

/// Names a NameserverSet.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct NameserverSetRef {
    /// The name of the NameserverSet.
    #[schemars(schema_with = "bounds::object_name")]
    pub name: String,
    /// Its namespace. That of the operator which takes Zones that name none, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::namespace_name")]
    pub namespace: Option<String>,
}

/// The start of authority (RFC 1035 §3.3.13), but for its serial. Times are seconds.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SoaSpec {
    /// The primary nameserver, absolute. The first of the nameservers when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::hostname")]
    pub primary: Option<String>,
    /// The mailbox of who is responsible, such as hostmaster@example.com. hostmaster at the domain when
    /// left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::contact")]
    pub contact: Option<String>,
    /// The TTL of the SOA itself.
    #[schemars(schema_with = "bounds::seconds")]
    pub ttl: u32,
    /// How often secondaries ask for a new serial.
    #[schemars(schema_with = "bounds::seconds")]
    pub refresh: u32,
    /// How soon secondaries ask again after a failure.
    #[schemars(schema_with = "bounds::seconds")]
    pub retry: u32,
    /// How long secondaries answer without having reached a primary.
    #[schemars(schema_with = "bounds::seconds")]
    pub expire: u32,
    /// How long resolvers remember that a name or type does not exist (RFC 2308 §4).
    #[serde(rename = "negativeTTL")]
    #[schemars(schema_with = "bounds::seconds")]
    pub negative_ttl: u32,
    /// The lowest serial that the zone may have: what it had before it moved here. From 0 to 4294967295.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions::serial")]
    pub initial_serial: Option<u32>,
}

impl Default for SoaSpec {
    fn default() -> Self {
        Self {
            primary: None,
            contact: None,
            ttl: 3_600,
            refresh: 3_600,
            retry: 600,
            expire: 604_800,
            negative_ttl: 300,
            initial_serial: None,
        }
    }
}

/// How the next serial of a zone is chosen. Whatever the choice, it is above every serial seen before
/// (RFC 1982).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum SerialPolicy {
    /// One more than the last.
    #[default]
    Increment,
    /// Seconds since 1970.
    UnixTime,
    /// The date and two digits: 2026112301.
    Date,
}

/// Lets namespaces attach records to the zone.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct RecordGrant {
    /// The namespaces that may.
    pub namespaces: NamespaceSelector,
    /// The names they may use, relative to the zone, compared label by label: shop is that name alone,
    /// "*.shop" all below it at any depth, "*" all below the apex, "@" the apex. At most 64. Owners that
    /// are wildcards need a pattern that is the wildcard itself.
    #[schemars(schema_with = "bounds::grant_names")]
    pub names: Vec<String>,
    /// The types they may use. All but NS, DS and DNAME when left out. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounds::grant_types")]
    pub types: Vec<String>,
    /// How many DNSRecords each of the namespaces may attach. No limit when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::limit")]
    pub limit: Option<u32>,
}

/// Lets namespaces hold a zone below this one.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct ChildGrant {
    /// The namespaces that may.
    pub namespaces: NamespaceSelector,
    /// The names of the child zones, relative to this one; "*.labs" is all below labs. At most 64.
    #[schemars(schema_with = "bounds::child_names")]
    pub names: Vec<String>,
}

/// Zone transfers (RFC 5936, RFC 1995) to secondaries.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Transfer {
    /// Who may transfer the zone: one of these is enough. Nobody when left out. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub allow: Vec<TransferAllow>,
    /// Secondaries that are told of each new version by NOTIFY (RFC 1996), signed with the first key of allow:
    /// 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounds::addresses")]
    pub notify: Vec<String>,
}

/// Someone who may transfer the zone: who signs with a key, or who asks from a prefix.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[x_kube(
    validation = Rule::new("has(self.tsigSecretRef) != has(self.cidr)")
        .message("an entry is a key or a prefix: write tsigSecretRef or cidr, and another entry for the other")
)]
#[serde(rename_all = "camelCase")]
pub struct TransferAllow {
    /// The Secret of a TSIG key (RFC 8945), in the namespace of the Zone: its key `secret` in base64, `algorithm`
    /// (hmac-sha256 when left out), and `name` (that of the Secret when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tsig_secret_ref: Option<SecretRef>,
    /// A prefix of addresses, such as 192.0.2.0/24, or an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::prefix")]
    pub cidr: Option<String>,
}

/// Names a Secret of the same namespace.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct SecretRef {
    /// The name of the Secret.
    #[schemars(schema_with = "bounds::object_name")]
    pub name: String,
}

/// How much may be removed from the zone at once.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Guard {
    /// The share of the RRsets that may go within ten minutes without a person's word, in percent.
    #[schemars(schema_with = "bounds::percent")]
    pub max_removed_percent: u32,
}

impl Default for Guard {
    fn default() -> Self {
        Self { max_removed_percent: 30 }
    }
}

/// What was seen of the zone.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneStatus {
    /// The generation of the spec that this status is about; -1 before anyone looked.
    #[serde(default = "crate::not_observed")]
    pub observed_generation: i64,
    /// The serial that was published last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions::serial")]
    pub serial: Option<u32>,
    /// How many RRsets are published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions::count")]
    pub records: Option<u64>,
    /// How many DNSRecords were rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions::count")]
    pub rejected: Option<u64>,
    /// How many pods answer the serial, of how many: 6/6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub serving: Option<String>,
    /// Accepted, Ready and Held; and Transferable where the Zone says who may transfer it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}

impl Default for ZoneStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::NOT_OBSERVED,
            serial: None,
            records: None,
            rejected: None,
            serving: None,
            conditions: Vec::new(),
        }
    }
}

fn default_ttl() -> u32 {
    300
}

fn removal_delay() -> String {
    "1h".to_owned()
}
