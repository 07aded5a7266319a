//! What questions of clients show of a zone that moves here: counts and samples of answers, and what takes nameservers back
//! by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{bounds, conditions};

/// What takes every nameserver back to legacy at once, without a person. Whatever is left out takes none back. It stays so
/// until the spec changes, or a person ends it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FallbackOn {
    /// More SERVFAIL than this among the answers of nameservers that are cut over, in percent: of half a minute with at
    /// least 50 answers, of all zones. From 0 to 100.
    #[schemars(schema_with = "bounds::percent")]
    pub servfail_percent: u32,
    /// Slower answers of theirs than this, in milliseconds: 99 of 100 take less, of half a minute with at least 500
    /// answers, three looks in a row. From 1 to 5000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::answer_time")]
    pub latency_milliseconds: Option<u32>,
    /// More differing answers than this among the questions that nameservers which are not cut over compare, in percent: of
    /// 15 minutes in which both sides had the same, with at least 50 questions. From 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::percent")]
    pub differences_percent: Option<u32>,
}

impl Default for FallbackOn {
    fn default() -> Self {
        Self { servfail_percent: 5, latency_milliseconds: None, differences_percent: None }
    }
}

/// What questions of clients have shown since nameservers began to forward them. Pods count by themselves, from zero when
/// they begin anew; what one had counted when it was heard last is kept.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ShadowSeen {
    /// Questions that were to be forwarded to legacy, without those for the SOA of the zone itself: by these the operator
    /// looks who answers.
    #[schemars(schema_with = "conditions::count")]
    pub forwarded: u64,
    /// Of them, those that legacy did not answer, in time or with anything that can be used.
    #[schemars(schema_with = "conditions::count")]
    pub unanswered: u64,
    /// Of these, those that were answered with what legacy had said before. All others were answered from here.
    #[schemars(schema_with = "conditions::count")]
    pub last_known: u64,
    /// Answers of legacy that were compared with those from here.
    #[schemars(schema_with = "conditions::count")]
    pub compared: u64,
    /// Of them, those that differ.
    #[schemars(schema_with = "conditions::count")]
    pub differing: u64,
    /// The same by nameserver. At most 26.
    #[schemars(length(max = 26))]
    pub nameservers: Vec<NameserverShadow>,
    /// Some of the differing answers, the newest first. At most 10, cut where they are long; more of them are in the
    /// ConfigMap whose name ends in .shadow.
    #[schemars(length(max = 10))]
    pub samples: Vec<AnswerDifference>,
}

/// What questions to one nameserver have shown.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NameserverShadow {
    /// Its name in the NameserverSet.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Questions that were to be forwarded to legacy.
    #[schemars(schema_with = "conditions::count")]
    pub forwarded: u64,
    /// Of them, those that legacy did not answer.
    #[schemars(schema_with = "conditions::count")]
    pub unanswered: u64,
    /// Of these, those that were answered with what legacy had said before.
    #[schemars(schema_with = "conditions::count")]
    pub last_known: u64,
    /// Answers of legacy that were compared.
    #[schemars(schema_with = "conditions::count")]
    pub compared: u64,
    /// Of them, those that differ.
    #[schemars(schema_with = "conditions::count")]
    pub differing: u64,
}

/// A question to which legacy and Port53 gave different answers.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub struct AnswerDifference {
    /// When (RFC 3339).
    #[schemars(length(max = 64))]
    pub at: String,
    /// Which nameserver was asked.
    #[schemars(length(max = 63))]
    pub nameserver: String,
    /// What was asked, as `www.example.com. A`, with `+dnssec` when DO was set.
    #[schemars(length(max = 1100))]
    pub question: String,
    /// What the answers differ in: rcode, authoritative, answer, ttl, negative, referral, proof.
    #[schemars(schema_with = "bounds::difference_labels")]
    pub differences: Vec<String>,
    /// What legacy said.
    #[schemars(length(max = 512))]
    pub legacy: String,
    /// What Port53 would have said.
    #[schemars(length(max = 512))]
    pub port53: String,
}

/// Why every nameserver was taken back without a person.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct AutomaticFallback {
    /// When (RFC 3339). A person who ends it repeats this in an annotation.
    #[schemars(length(max = 64))]
    pub since: String,
    /// The generation of the spec with which it came to that. It holds for no other.
    pub generation: i64,
    /// What was seen, and which limit it is beyond.
    #[schemars(length(max = 1024))]
    pub message: String,
}

/// How a legacy DNS answers many questions at once over UDP.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum AtOnce {
    /// All, but for what may be lost on the way.
    Answered,
    /// Some, and others not or cut short.
    Limited,
    /// None at all.
    Silent,
}

/// Whether a legacy DNS answers by who asks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ByClient {
    /// Everyone was answered alike.
    Alike,
    /// One question was answered in several ways.
    Differs,
    /// No question was answered as often as it was asked.
    Untold,
}

/// Whether legacy can be forwarded to, as far as that was seen by asking it: once for its addresses, and once a day.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LegacyCheck {
    /// When (RFC 3339).
    #[schemars(length(max = 64))]
    pub at: String,
    /// The addresses that were asked. At most 8.
    #[schemars(schema_with = "bounds::addresses")]
    pub addresses: Vec<String>,
    /// Whether it answered many questions at once.
    pub at_once: AtOnce,
    /// What came of them.
    #[schemars(length(max = 2048))]
    pub burst: String,
    /// Whether it answered everyone alike.
    pub by_client: ByClient,
    /// What came of asking as by others.
    #[schemars(length(max = 2048))]
    pub clients: String,
    /// Pods through which it was asked.
    #[schemars(schema_with = "conditions::count")]
    pub pods: u64,
}
