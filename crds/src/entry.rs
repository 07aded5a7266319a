//! How clients come to a zone that moves here, and how its migration ends: parts of a ZoneMigration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounds;

/// Which NS the apex shows.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ApexNameservers {
    /// Those that legacy has, with its TTL: caches stay with legacy's nameservers.
    Legacy,
    /// Those of both, with the lower of the two TTLs.
    Both,
    /// Those of the Zone: caches move here with the first answer from here.
    Port53,
}

/// How clients come here.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Entry {
    /// The addresses that legacy's nameservers had now reach those of Port53. Caches need not learn anything.
    AddressTakeover,
    /// The nameservers of Port53 are written into the zone above, beside and then in the place of legacy's.
    NewNameservers,
}

/// The zone above, which says whether this one is signed, and where its nameservers are.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Parent {
    /// Where nameservers of the zone above are reached: 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53. All are asked.
    /// Found by the recursive nameserver of the operator's pod when left out. At most 8.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bounds::parent_addresses")]
    pub addresses: Vec<String>,
    /// How often they are asked, such as 1m.
    #[schemars(schema_with = "bounds::duration")]
    pub poll: String,
}

impl Default for Parent {
    fn default() -> Self {
        Self { addresses: Vec::new(), poll: "1m".to_owned() }
    }
}

/// What was seen of the zone above.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentSeen {
    /// The DS that it has for the zone, each as `KEYTAG ALGORITHM DIGESTTYPE DIGEST`. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "few_texts")]
    pub ds: Vec<String>,
    /// The TTL of DS as it was seen last, in seconds.
    #[serde(default, rename = "dsTTL", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::seconds")]
    pub ds_ttl: Option<u32>,
    /// Since when it was seen to have none (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ds_gone_since: Option<String>,
    /// Until when caches may still have one (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ds_cached_until: Option<String>,
    /// The nameservers that it delegates the zone to. At most 26.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "hostnames")]
    pub nameservers: Vec<String>,
    /// The longest TTL of what leads caches elsewhere, as it was seen last, in seconds: NS and glue there, NS at the apex
    /// here and at legacy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bounds::seconds")]
    pub ttl: Option<u32>,
    /// Since when it and the apex were seen to name the nameservers of the Zone and no others (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub ours_since: Option<String>,
    /// Until when caches may still have others (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub cached_until: Option<String>,
}

/// DS in a status: few.
fn few_texts(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 8,
        "items": {"type": "string", "maxLength": 256},
    })
}

/// Hostnames of nameservers in a status, absolute.
pub(crate) fn hostnames(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "maxItems": 26,
        "items": {"type": "string", "maxLength": 1004},
    })
}
