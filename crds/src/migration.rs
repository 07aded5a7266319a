//! ZoneMigration: a zone that moves here from another DNS, with a way back at every step.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::entry::{self, ApexNameservers, Entry, Parent, ParentSeen};
use crate::head::Otherwise;
use crate::shadow::{AutomaticFallback, FallbackOn, LegacyCheck, ShadowSeen};
use crate::zone::SecretRef;
use crate::{bounds, conditions, published};

/// A zone that moves here from the DNS that has it now: what is brought over, kept the same in both, and compared.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "port53.dev",
    version = "v1alpha1",
    kind = "ZoneMigration",
    plural = "zonemigrations",
    namespaced,
    status = "ZoneMigrationStatus",
    derive = "PartialEq",
    shortname = "zmig",
    category = "port53",
    doc = "A zone that moves here from the DNS that has it now: what is brought over, kept the same in both, and compared.",
    selectable = ".spec.zoneRef.name",
    printcolumn(name = "Zone", type_ = "string", json_path = ".spec.zoneRef.name"),
    printcolumn(
        name = "Legacy",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="LegacyReachable")].status"#
    ),
    printcolumn(name = "Backfilled", type_ = "string", json_path = ".status.backfilled"),
    printcolumn(name = "Rejected", type_ = "integer", json_path = ".status.rejected"),
    printcolumn(name = "Inconsistent", type_ = "integer", json_path = ".status.inconsistent"),
    printcolumn(name = "Cutover", type_ = "string", json_path = ".status.cutover"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = "1",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    )
)]
#[x_kube(
    validation = Rule::new("has(self.shadow) || ((!has(self.cutover) || self.cutover.size() == 0) && !self.fallback)")
        .message("cutover and fallback are about nameservers that otherwise answer with what legacy says: write shadow too, or leave both out")
        .field_path(".shadow"),
    validation = Rule::new("!self.finish || has(self.entry)")
        .message("what is waited for depends on how clients come here: write AddressTakeover or NewNameservers")
        .field_path(".entry")
)]
#[serde(rename_all = "camelCase")]
pub struct ZoneMigrationSpec {
    /// The Zone, in the same namespace. Immutable.
    #[schemars(schema_with = "bounds::migrated_zone")]
    pub zone_ref: MigratedZone,
    /// The DNS that has the zone now.
    pub legacy: Legacy,
    /// Brings records over that legacy has and the Zone never had. Nothing is when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<Backfill>,
    /// Whether what changes on one side is written to the other.
    #[serde(default)]
    pub dual_write: DualWrite,
    /// How both are compared.
    #[serde(default)]
    pub compare: Compare,
    /// While it is there, nameservers that are not cut over answer with what legacy says. Every one answers by itself when
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Shadow>,
    /// Nameservers that answer by themselves, by their names in the NameserverSet, in the order in which they are cut over:
    /// one once those before it do, and both sides are the same. Each that is taken out goes back at once. At most 26.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounds::cutover")]
    pub cutover: Vec<String>,
    /// Whether every nameserver answers with what legacy says again, at once, whatever cutover says.
    #[serde(default)]
    pub fallback: bool,
    /// Which NS the apex shows in answers from here while shadow is there, in the place of spec.nameservers. When left out,
    /// those of legacy until every nameserver answers by itself, then those of the Zone. A DNSRecord at the apex wins.
    #[serde(default, rename = "apexNS", skip_serializing_if = "Option::is_none")]
    pub apex_ns: Option<ApexNameservers>,
    /// How clients come here. Needed to finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Entry>,
    /// The zone above: who is asked whether the zone is signed there, and where it is delegated to.
    #[serde(default)]
    pub parent: Parent,
    /// Whether it is to end: once nobody can be led to legacy any more it is not asked and not written to, every nameserver
    /// answers by itself, and the ZoneMigration may be deleted. Until then false takes it back.
    #[serde(default)]
    pub finish: bool,
}

/// How nameservers answer with what legacy says.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Shadow {
    /// Whether each question is also answered here, after the client has its answer, and both are compared.
    pub compare: bool,
    /// Who answers when legacy does not in time.
    pub otherwise: Otherwise,
    /// How long legacy may take, in milliseconds. From 100 to 5000.
    #[schemars(schema_with = "published::legacy_timeout")]
    pub timeout_milliseconds: u32,
    /// The share of compared questions whose answers may differ, in percent, when another nameserver is cut over. Counted
    /// are those of the last 15 minutes in which both sides had the same. From 0 to 100.
    #[schemars(schema_with = "bounds::percent")]
    pub max_differences_percent: u32,
    /// How many questions must have been compared in that time. 0 waits for none. From 0 to 100,000.
    #[schemars(schema_with = "bounds::mismatches")]
    pub min_compared: u32,
    /// What takes every nameserver back at once, without a person. Nothing does when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_on: Option<FallbackOn>,
}

impl Default for Shadow {
    fn default() -> Self {
        Self {
            compare: true,
            otherwise: Otherwise::Port53,
            timeout_milliseconds: published::LEGACY_TIMEOUT,
            max_differences_percent: 0,
            min_compared: 0,
            fallback_on: None,
        }
    }
}

/// Names the Zone of a migration.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct MigratedZone {
    /// The name of the Zone.
    pub name: String,
}

/// A DNS that has a zone now.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Legacy {
    /// Where its primary is reached over TCP: 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53. The first that can be
    /// reached is asked. From 1 to 8.
    #[schemars(schema_with = "bounds::legacy_addresses")]
    pub addresses: Vec<String>,
    /// The Secret of a TSIG key (RFC 8945) in this namespace, which signs transfers and updates: its key `secret` in
    /// base64, `algorithm` (hmac-sha256 when left out), and `name` (that of the Secret when left out).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tsig_secret_ref: Option<SecretRef>,
}

/// What is brought over.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Backfill {
    /// Where records come from.
    #[serde(default)]
    pub from: BackfillSource,
}

/// Where records come from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum BackfillSource {
    /// A zone transfer (RFC 5936) from legacy.
    #[default]
    Transfer,
}

/// Whether what changes on one side is written to the other.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DualWrite {
    /// It is not; differences are listed. Not `Off`: YAML 1.1 has that for a boolean.
    #[default]
    None,
    /// It is, afterwards: a change is published here whatever legacy says, and tried there until it is taken or refused.
    Async,
    /// A change here is at both or at neither: legacy has it first, and what it refuses is not published. A change there is
    /// brought over as with Async.
    Sync,
}

/// How both sides are compared.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Compare {
    /// How often the whole zone is transferred and compared, whether or not anything seems to have changed, such as 5m.
    #[schemars(schema_with = "bounds::duration")]
    pub interval: String,
    /// How often legacy is asked for its serial, such as 10s.
    #[schemars(schema_with = "bounds::duration")]
    pub poll: String,
    /// Whether NS at the apex counts as a difference and is written to the other side. Each has its own when left out.
    #[serde(rename = "apexNS")]
    pub apex_ns: bool,
    /// Whether another serial is a difference.
    pub serial: bool,
    /// RRsets that each side has of its own: they are no difference, and are neither brought over nor written to legacy. At
    /// most 100. For what cannot be here as it is there, such as ALIAS: leave that and what you will have instead out, then
    /// write that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_LEFT_OUT), extend("x-kubernetes-list-type" = "atomic"))]
    pub leave_out: Vec<LeftOut>,
}

/// RRsets that are not compared in [`Compare::leave_out`].
pub const MAX_LEFT_OUT: usize = 100;

/// An RRset that each side has of its own.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LeftOut {
    /// The owner name, relative to the zone; "@" is the apex. With a last dot it is absolute.
    #[schemars(schema_with = "bounds::owner_name")]
    pub name: String,
    /// The type, such as CNAME or TYPE65401. All of the name when left out.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub type_: Option<String>,
}

impl Default for Compare {
    fn default() -> Self {
        Self {
            interval: "5m".to_owned(),
            poll: "10s".to_owned(),
            apex_ns: false,
            serial: false,
            leave_out: Vec::new(),
        }
    }
}

/// What was seen of a migration.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneMigrationStatus {
    /// The generation of the spec that this status is about; -1 before anyone looked.
    #[serde(default = "crate::not_observed")]
    pub observed_generation: i64,
    /// How far it is, in one word: what the conditions say, the furthest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<MigrationPhase>,
    /// The zone as legacy has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy: Option<LegacySeen>,
    /// How many RRsets of legacy are here, of how many: 40/41.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub backfilled: Option<String>,
    /// How many RRsets of legacy are refused here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions::count")]
    pub rejected: Option<u64>,
    /// The first of them. At most 20; the whole is in the ConfigMap whose name ends in .rejects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub rejects: Vec<Reject>,
    /// How many RRsets differ, seen twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions::count")]
    pub inconsistent: Option<u64>,
    /// The first of them. At most 20; the whole is in the ConfigMap whose name ends in .differences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub differences: Vec<RRsetDifference>,
    /// How many changes wait to be written to legacy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions::count")]
    pub waiting: Option<u64>,
    /// How many nameservers answer by themselves, of how many: 1/2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub cutover: Option<String>,
    /// Who was seen to answer at each nameserver. At most 26.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 26))]
    pub nameservers: Vec<NameserverAnswers>,
    /// The NS that the apex shows in answers from here. At most 26.
    #[serde(default, rename = "apexNS", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "entry::hostnames")]
    pub apex_ns: Vec<String>,
    /// What was seen of the zone above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentSeen>,
    /// What questions of clients have shown, where the spec has shadow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowSeen>,
    /// Whether legacy can be forwarded to, as far as that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy_check: Option<LegacyCheck>,
    /// Why every nameserver was taken back without a person. It holds until the spec changes, or a person ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<AutomaticFallback>,
    /// The request to compare that was carried out last: what its annotation said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub compared: Option<String>,
    /// Ready, LegacyReachable, LegacySuitable, Backfilled, InSync and DualWriting; Shadowing, CutOver and FallenBack where
    /// the spec has shadow; Finished.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}

impl Default for ZoneMigrationStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::NOT_OBSERVED,
            phase: None,
            legacy: None,
            backfilled: None,
            rejected: None,
            rejects: Vec::new(),
            inconsistent: None,
            differences: Vec::new(),
            waiting: None,
            cutover: None,
            nameservers: Vec::new(),
            apex_ns: Vec::new(),
            parent: None,
            shadow: None,
            legacy_check: None,
            fallback: None,
            compared: None,
            conditions: Vec::new(),
        }
    }
}

/// How far a migration is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum MigrationPhase {
    /// Legacy was not seen yet, or cannot be.
    Waiting,
    /// Records are being brought over.
    Backfilling,
    /// Both are compared.
    Comparing,
    /// Changes are written to both.
    DualWriting,
    /// Nameservers answer with what legacy says.
    Shadowing,
    /// Some nameservers answer by themselves.
    CuttingOver,
    /// All that are to do.
    CutOver,
    /// They answer with what legacy says again.
    FallenBack,
    /// It is to end, and waits until nobody can be led to legacy any more.
    Finishing,
    /// Legacy is not asked any more.
    Finished,
}

/// Who answers at a nameserver.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct NameserverAnswers {
    /// Its name in the NameserverSet.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Who was seen to answer, at every pod.
    pub answers: Answers,
}

/// Who answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Answers {
    /// The nameserver, from what is published here.
    Port53,
    /// Legacy: the nameserver says what that said.
    Legacy,
    /// Some pods so and some otherwise, or it could not be told.
    Unknown,
}

/// A zone as legacy has it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct LegacySeen {
    /// Its serial.
    #[schemars(schema_with = "conditions::serial")]
    pub serial: u32,
    /// How many RRsets it has, without the SOA.
    #[schemars(schema_with = "conditions::count")]
    pub records: u64,
}

/// An RRset of legacy that is not brought over.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Reject {
    /// The owner name, absolute.
    #[schemars(length(max = 1004))]
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    #[schemars(length(max = 16))]
    pub type_: String,
    /// The TTL in seconds.
    #[schemars(schema_with = "bounds::seconds")]
    pub ttl: u32,
    /// The values as they stand there. At most 8 in a status, cut where they are long.
    #[schemars(schema_with = "shown_values")]
    pub values: Vec<String>,
    /// The rule, in one word.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why it is refused, and what to do.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// An RRset that both sides have otherwise.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct RRsetDifference {
    /// The owner name, absolute.
    #[schemars(length(max = 1004))]
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    #[schemars(length(max = 16))]
    pub type_: String,
    /// What differs.
    pub kind: DifferenceKind,
    /// TTL and values here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub port53: Option<String>,
    /// TTL and values there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub legacy: Option<String>,
    /// Whose side changed since both agreed.
    pub changed: ChangedSide,
    /// When it was first seen (RFC 3339).
    #[schemars(length(max = 64))]
    pub since: String,
    /// Why it stays, where something keeps it from being settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub kept: Option<String>,
}

impl RRsetDifference {
    /// What it is about, and why it stays: `www.example.com. A (kept by argocd)`.
    pub fn in_short(&self) -> String {
        let kept = self.kept.as_ref().map(|kept| format!(" ({kept})")).unwrap_or_default();
        format!("{} {}{kept}", self.name, self.type_)
    }
}

/// What differs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DifferenceKind {
    /// Legacy has it, and it is not here.
    MissingHere,
    /// It is here, and legacy does not have it.
    MissingThere,
    /// The values differ.
    Values,
    /// The TTL differs, and nothing else.
    TTL,
    /// The records are the same, and a question is answered otherwise: both sides have the answers.
    Answer,
}

/// Whose side changed since both agreed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ChangedSide {
    /// This one.
    Port53,
    /// Legacy.
    Legacy,
    /// Both, or they never agreed.
    Both,
}

/// Values in a status: few and cut.
fn shown_values(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 8,
        "items": {"type": "string", "maxLength": 256},
    })
}
