//! The custom resources of Port53, group `port53.dev`, version `v1alpha1`.
//!
//! What people write: a [`Zone`] and its [`DNSRecord`]s, one RRset each. The types here are the source;
//! the schemas, bounds and CEL rules that an API server enforces are derived from them and stand in
//! `crds/manifests/*.yaml`, written by `make generate`. A test fails when the two differ.
//!
//! Who answers for them: a [`NameserverSet`]. What moves here from another DNS: a [`ZoneMigration`].
//!
//! What the operator publishes and resolvers read: a [`ZoneHead`] a zone, its [`ZoneRevision`]s, and the
//! [`ZoneSlice`]s of their content.
//!
//! What can be refused by looking at one object alone is refused by its schema, so that it holds with
//! the operator down. Each rule's message says what to write instead. Strings, lists and maps are
//! bounded: the API server prices a CEL rule by the largest input that the schema lets through, and
//! refuses a definition whose rules could cost too much.
//!
//! This crate knows nothing of DNS beyond the shape of text: whether a value is right for its type is
//! for the operator, which looks with `port53-zone`.

#![expect(unreachable_pub, reason = "KubeSchema derives public types inside function bodies")]
#![expect(clippy::duplicated_attributes, reason = "each printer column of kube's derive has the same keys")]

mod annotations;
mod bounds;
mod conditions;
mod duration;
mod entry;
mod head;
mod manifest;
mod migration;
mod nameservers;
mod published;
mod record;
pub mod reference;
mod revision;
mod rtypes;
mod selector;
mod shadow;
mod slice;
mod template;
mod zone;

pub use annotations::{
    ACCEPT_ANNOTATION, COMPARE_ANNOTATION, END_FALLBACK_ANNOTATION, FINALIZER, KEEP_ANNOTATION,
    PAUSE_ANNOTATION, PIN_ANNOTATION, PREFER_ANNOTATION, QUIET_ANNOTATION, RELEASE_ANNOTATION,
    RETRY_ANNOTATION, ROLLBACK_ANNOTATION,
};
pub use bounds::{
    MAX_GRANTS, MAX_NAME_LENGTH, MAX_NAMES_PER_GRANT, MAX_NAMESERVERS, MAX_TTL, MAX_TYPES_PER_GRANT,
    MAX_VALUE_LENGTH, MAX_VALUES,
};
pub use conditions::{ConditionType, Reason, Status, condition, find_condition, set_condition};
pub use duration::{DurationError, parse_duration};
pub use entry::{ApexNameservers, Entry, Parent, ParentSeen};
pub use head::{
    Checkpoint, Forwarding, HeadDualWrite, HeadState, Intent, Otherwise, Way, ZoneHead, ZoneHeadSpec,
};
pub use manifest::{DIRECTORIES, Manifest, ManifestError, definitions, manifests};
pub use migration::{
    Answers, Backfill, BackfillSource, ChangedSide, Compare, DifferenceKind, DualWrite, LeftOut, Legacy,
    LegacySeen, MAX_LEFT_OUT, MigratedZone, MigrationPhase, NameserverAnswers, RRsetDifference, Reject,
    Shadow, ZoneMigration, ZoneMigrationSpec, ZoneMigrationStatus,
};
pub use nameservers::{
    FamilyPolicy, Nameserver, NameserverPhase, NameserverSet, NameserverSetSpec, NameserverSetStatus,
    NameserverStatus, OnFailure, Protocols, Rollout, RolloutFailure, ServiceKind, ServiceTemplate,
    TrafficPolicy, WorkloadKind, ZoneGrant,
};
pub use published::{
    GREATEST_LEGACY_TIMEOUT, Holder, LEAST_LEGACY_TIMEOUT, LEGACY_TIMEOUT, MAX_HEAD_NAME, MAX_INTENTS,
    MAX_JOURNAL, MAX_SLICE, PublishedSoa, head_name, parse_revision_name, revision_name,
};
pub use record::{DNSRecord, DNSRecordSpec, DNSRecordStatus, ZoneRef};
pub use revision::{ZoneRevision, ZoneRevisionSpec};
pub use rtypes::{KNOWN_TYPES, REFUSED_TYPES};
pub use selector::{NamespaceSelector, SelectorOperator, SelectorRequirement};
pub use shadow::{
    AnswerDifference, AtOnce, AutomaticFallback, ByClient, FallbackOn, LegacyCheck, NameserverShadow,
    ShadowSeen,
};
pub use slice::{ZoneSlice, ZoneSliceSpec};
pub use template::CONTAINER;
pub use zone::{
    ChildGrant, Guard, NameserverSetRef, RecordGrant, SecretRef, SerialPolicy, SoaSpec, Zone, ZoneSpec,
    ZoneStatus,
};

/// The API group of every resource here.
pub const GROUP: &str = "port53.dev";

/// The version of every resource here.
pub const VERSION: &str = "v1alpha1";

/// `apiVersion` as it stands in a manifest.
pub const API_VERSION: &str = "port53.dev/v1alpha1";

/// What `status.observedGeneration` says before anyone looked: so that what waits for the object
/// (kstatus) does not take silence for success.
pub const NOT_OBSERVED: i64 = -1;

fn not_observed() -> i64 {
    NOT_OBSERVED
}
