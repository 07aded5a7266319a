//! Conditions and reasons, by the API conventions of Kubernetes.
//!
//! Every condition is written when an object is first looked at, as Unknown if need be. `Ready` sums up:
//! when it is not True its reason is that of the condition which keeps it from being so.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use schemars::{Schema, SchemaGenerator, json_schema};

/// What a condition is about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ConditionType {
    /// The object was looked at and is right; what it says is or will be published.
    Accepted,
    /// What the object says is in service: every nameserver was asked, and answered it.
    Ready,
    /// Removals are held back by the guard until a person releases them. Zones only.
    Held,
    /// Everyone who may transfer the zone can: the keys are known. Only of Zones that say who may.
    Transferable,
    /// Something is under way that the object asked for (kstatus). NameserverSets only.
    Reconciling,
    /// It is not, and does not go on by itself (kstatus). NameserverSets only.
    Stalled,
    /// The world is told of the nameservers at the addresses that they have. NameserverSets only.
    Delegated,
    /// The DNS that a zone moves from was asked, and answered. ZoneMigrations only.
    LegacyReachable,
    /// It answers many questions at once, and every client alike, as far as was seen. ZoneMigrations only.
    LegacySuitable,
    /// What legacy has is here, but for what is listed as rejected. ZoneMigrations only.
    Backfilled,
    /// Both have the same. ZoneMigrations only.
    InSync,
    /// What changes on one side is written to the other. ZoneMigrations only.
    DualWriting,
    /// Nameservers that are not cut over were seen to answer with what legacy says. ZoneMigrations only.
    Shadowing,
    /// Those that are to be cut over were seen to answer by themselves. ZoneMigrations only.
    CutOver,
    /// All were told to answer with what legacy says again, and seen to. ZoneMigrations only.
    FallenBack,
    /// Legacy is not asked any more, and the migration may be deleted. ZoneMigrations only.
    Finished,
}

impl ConditionType {
    /// As it stands in `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Ready => "Ready",
            Self::Held => "Held",
            Self::Transferable => "Transferable",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Delegated => "Delegated",
            Self::LegacyReachable => "LegacyReachable",
            Self::LegacySuitable => "LegacySuitable",
            Self::Backfilled => "Backfilled",
            Self::InSync => "InSync",
            Self::DualWriting => "DualWriting",
            Self::Shadowing => "Shadowing",
            Self::CutOver => "CutOver",
            Self::FallenBack => "FallenBack",
            Self::Finished => "Finished",
        }
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It is not known yet.
    Unknown,
}

impl Status {
    /// As it stands in `status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why a condition has its status.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As it stands in `reason`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

reasons! {
    /// Nobody has looked yet, or the outcome is being waited for.
    Pending,
    /// It is right.
    Accepted,
    /// The last good version of the object stays in service; the newest is wrong.
    LastGoodKept,
    /// A field other than a name, type, TTL or value is wrong.
    InvalidSpec,
    /// The owner name, or the domain of a zone, is not a name.
    InvalidName,
    /// The type is unknown, or never a DNSRecord.
    InvalidType,
    /// A value is not right for the type.
    InvalidValue,
    /// The name is not in the zone.
    OutOfZone,
    /// A rule about records together is broken; the message names it.
    RuleViolated,
    /// Another object holds this name and type, or domain; the message says which.
    Conflicted,
    /// No grant of the zone covers this namespace, name and type; or no grant of the zone above covers
    /// this zone.
    NotPermitted,
    /// The grant is used up.
    QuotaExceeded,
    /// An RRset or a name has more than a message or a limit takes.
    TooLarge,
    /// There is no Zone of that name.
    ZoneNotFound,
    /// The Zone is there, and not accepted itself.
    ZoneNotAccepted,
    /// The Zone is being deleted.
    ZoneDeleted,
    /// The name is below a delegation or a zone of its own, so it is not answered from here. Below a zone that is
    /// here the record is refused; below a delegation to somebody else it is accepted and in the zone.
    Occluded,
    /// The zone has no nameservers.
    NoNameservers,
    /// There is no NameserverSet of that name, or it does not take this zone.
    NameserverSetNotFound,
    /// Every nameserver was asked and answers it.
    Served,
    /// Published; not every nameserver answers it yet.
    WaitingForNameservers,
    /// The zone is not complete and is not answered yet.
    Assembling,
    /// The guard holds removals back.
    RemovalsHeld,
    /// The guard holds nothing back.
    NothingHeld,
    /// The zone is pinned to an older revision.
    Pinned,
    /// The Zone was deleted and is still served until its removal delay is over.
    WithdrawalPending,
    /// The zone is no longer served.
    Withdrawn,
    /// The keys of all who may transfer the zone are known.
    KeysKnown,
    /// Every nameserver runs the revision and was found to answer rightly.
    RolledOut,
    /// A revision is being rolled out, one nameserver after the other.
    RollingOut,
    /// A person has stopped the rollout for a while.
    Paused,
    /// Not as many pods are ready as there are to be.
    PodsNotReady,
    /// An image cannot be had.
    ImageNotPulled,
    /// A container ends again and again, or was ended for its memory.
    CrashLoop,
    /// The pods were not ready in time.
    DeadlineExceeded,
    /// A question was answered in another way than it should be.
    WrongAnswer,
    /// A question was not answered, or not by one of the transports.
    NoAnswer,
    /// Answers take much longer than those of the other nameservers.
    Slow,
    /// More answers are SERVFAIL than those of the other nameservers.
    Failing,
    /// Kubernetes does not take the workload or the Service.
    InvalidTemplate,
    /// The zone above, or the hostnames, have the addresses of the Services.
    AddressesMatch,
    /// They have others.
    AddressesDiffer,
    /// What they have cannot be asked, or no Service has an address from outside.
    NotAsked,
    /// A Secret with a key is not there, cannot be read, has no key, or one whose name is that of another's.
    KeyMissing,
    /// Legacy was asked for the zone, and answered.
    Answered,
    /// Legacy cannot be reached, or its answer does not come to an end.
    Unreachable,
    /// Legacy refuses: the transfer, the key, or a change.
    LegacyRefused,
    /// Legacy is to have it first, and was not reached yet: it is tried again, and what was before is answered.
    LegacyUnreachable,
    /// It was at legacy and could not be served here: both have again what they had.
    RolledBack,
    /// What legacy says cannot be, or not be believed without a person's word.
    LegacyImplausible,
    /// The spec does not ask for it.
    NotWanted,
    /// All of it is here.
    Complete,
    /// It is being brought over.
    InProgress,
    /// Some of it is refused.
    Rejected,
    /// Both have the same.
    Equal,
    /// Both do not.
    Differences,
    /// Everything is written to both.
    Written,
    /// Some of it waits to be written to legacy.
    Waiting,
    /// Another migration has the zone.
    AlreadyMigrated,
    /// Every nameserver that is to was seen to answer so.
    Seen,
    /// One is told to, and not yet seen to at every pod.
    NotYetSeen,
    /// The next nameserver is not cut over while both sides differ, or not every nameserver has what is published.
    WaitingForSync,
    /// There is no nameserver of that name.
    NoSuchNameserver,
    /// The zone above has DS, or had so lately that caches have it, and answers from here are unsigned: to cut over would
    /// take the zone from everyone who validates.
    DSWithoutValidSignatures,
    /// Some nameserver of the set does not answer by itself yet.
    WaitingForCutover,
    /// The zone above, or the apex, still names nameservers that are not those of the Zone.
    WaitingForDelegation,
    /// Caches may still have what led to legacy.
    WaitingForCaches,
    /// A person is to say that nobody asks legacy any more.
    WaitingForConfirmation,
    /// It is over: legacy is not asked any more.
    Finished,
    /// The next nameserver is not cut over while its NameserverSet is rolled out.
    WaitingForRollout,
    /// It is not while answers of legacy and ours differ too often, or too few were compared.
    WaitingForShadow,
    /// Every nameserver was taken back without a person, for what was seen is beyond a limit of the spec.
    LimitExceeded,
    /// Of many questions at once legacy answered some, and others not or cut short.
    RateLimited,
    /// Legacy answers nothing over UDP.
    NoAnswerOverUDP,
    /// Legacy answered one question in several ways, by who asked.
    AnswersByClient,
}

/// A condition as of `now`, about the spec of generation `generation`. The message is cut at the 32,768
/// characters that Kubernetes allows.
pub fn condition(
    type_: ConditionType,
    status: Status,
    reason: Reason,
    message: impl Into<String>,
    generation: i64,
    now: Timestamp,
) -> Condition {
    Condition {
        type_: type_.as_str().to_owned(),
        status: status.as_str().to_owned(),
        reason: reason.as_str().to_owned(),
        message: message.into().chars().take(MAX_MESSAGE).collect(),
        observed_generation: Some(generation),
        last_transition_time: Time(now),
    }
}

/// Puts `new` into `conditions` in the place of the one of its type. While the status stays what it was,
/// the time of its last transition stays too. Returns whether anything changed.
pub fn set_condition(conditions: &mut Vec<Condition>, mut new: Condition) -> bool {
    let Some(old) = conditions.iter_mut().find(|old| old.type_ == new.type_) else {
        conditions.push(new);
        return true;
    };
    if old.status == new.status {
        new.last_transition_time = old.last_transition_time.clone();
    }
    let changed = *old != new;
    *old = new;
    changed
}

/// The condition of that type, if it is there.
pub fn find_condition(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.as_str())
}

const MAX_MESSAGE: usize = 32_768;

/// The schema of a list of conditions: that of `metav1.Condition`, with its bounds.
pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "description": "What the condition is about.",
                    "type": "string",
                    "maxLength": 316,
                },
                "status": {
                    "description": "Whether it holds.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                },
                "observedGeneration": {
                    "description": "The generation of the spec that the condition is about.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
                "lastTransitionTime": {
                    "description": "When the status last changed.",
                    "type": "string",
                    "format": "date-time",
                    "maxLength": 64,
                },
                "reason": {
                    "description": "Why it has this status, in one word.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "description": "Why it has this status, for a person, and what to do.",
                    "type": "string",
                    "maxLength": MAX_MESSAGE,
                },
            },
        },
    })
}

/// The schema of a serial (RFC 1982: 32 bits).
pub(crate) fn serial(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 0, "maximum": u32::MAX})
}

/// The schema of a count.
pub(crate) fn count(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 0})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64, status: Status, reason: Reason) -> Condition {
        let now = Timestamp::from_second(second).unwrap();
        condition(ConditionType::Ready, status, reason, "", 1, now)
    }

    #[test]
    fn the_time_of_transition_moves_only_with_the_status() {
        let mut conditions = Vec::new();
        assert!(set_condition(&mut conditions, at(1, Status::Unknown, Reason::Pending)));
        assert!(!set_condition(&mut conditions, at(2, Status::Unknown, Reason::Pending)));
        assert!(set_condition(&mut conditions, at(3, Status::Unknown, Reason::Assembling)));
        assert_eq!(
            conditions[0].last_transition_time,
            at(1, Status::Unknown, Reason::Pending).last_transition_time
        );
        assert!(set_condition(&mut conditions, at(4, Status::True, Reason::Served)));
        assert_eq!(
            conditions[0].last_transition_time,
            at(4, Status::True, Reason::Served).last_transition_time
        );
        assert_eq!(conditions.len(), 1);
    }
}
