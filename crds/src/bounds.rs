//! The shape of each text in the resources: bounds and CEL rules, as schemas of leaf fields.
//!
//! Rules about one field stand on that field, so that the API server's message names it. Rules between
//! fields stand on the types. A pattern is a CEL rule rather than the schema's `pattern`, because only
//! a rule can say what to write instead.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::rtypes;

/// Characters of a name in presentation form: the 255 octets of the longest are the root, four lengths and
/// 250 others, each at most `\DDD` (RFC 1035 §2.3.4, §5.1), and there are four dots.
pub const MAX_NAME_LENGTH: u32 = 1004;
/// Values of one DNSRecord. What fits a message is decided by the operator.
pub const MAX_VALUES: u32 = 512;
/// Characters of one value. An API server prices the rules of the values by this times [`MAX_VALUES`], and
/// refuses the definition when that is too much.
pub const MAX_VALUE_LENGTH: u32 = 32_768;
/// The largest TTL in seconds (RFC 2181 §8).
pub const MAX_TTL: u32 = 2_147_483_647;
/// Nameservers of a zone: as many as the root has.
pub const MAX_NAMESERVERS: u32 = 13;
/// Grants of a kind in one Zone.
pub const MAX_GRANTS: u32 = 64;
/// Name patterns in one grant.
pub const MAX_NAMES_PER_GRANT: u32 = 64;
/// Types in one grant.
pub const MAX_TYPES_PER_GRANT: u32 = 64;

/// Characters of a name pattern in a grant: no escapes there, so that of a name without them.
const MAX_PATTERN_LENGTH: u32 = 255;
/// Characters of a hostname, with the last dot.
const MAX_HOSTNAME_LENGTH: u32 = 254;

/// A label of a name: up to 63 octets, each a character, `\X` or `\DDD`.
const LABEL: &str = r"([^.\\]|\\[0-9][0-9][0-9]|\\[^0-9]){1,63}";
/// A label of a hostname; underscores are seen in the wild.
const HOST_LABEL: &str = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
/// A label of a name pattern: no blank, asterisk, dot, at sign or escape. No `--` stands in it: to some engines that
/// is the difference of two sets.
const PATTERN_LABEL: &str = r"[!-)+,\-/-?A-\[\]-~]{1,63}";

pub(crate) fn rule(rule: impl Into<String>, message: &str) -> Value {
    json!({"rule": rule.into(), "message": message})
}

fn printable(what: &str) -> Value {
    rule(
        "self == '' || self.matches('^[!-~]+$')",
        &format!(
            "{what} has a blank or a character outside printable ASCII: leave blanks out, write an internationalised \
             name in its xn-- form and any other octet as \\DDD"
        ),
    )
}

fn labels() -> Value {
    rule(
        format!("!self.matches('^[!-~]+$') || self == '.' || self.matches(r'^{LABEL}([.]{LABEL})*[.]?$')"),
        "the name has an empty label, a label of more than 63 octets or a bad escape: write labels of 1 to 63 \
         octets with one dot between them, none at the beginning, and escapes as \\DDD or \\X",
    )
}

fn name_length() -> Value {
    rule(
        r"self.contains('\\') || self.size() <= (self.endsWith('.') ? 254 : 253)",
        "the name is too long: write at most 253 characters, and a last dot if you like",
    )
}

/// An owner name that may change.
pub(crate) fn owner_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": MAX_NAME_LENGTH,
        "x-kubernetes-validations": [
            not_empty(),
            printable("the name"),
            labels(),
            name_length(),
        ],
    })
}

fn not_empty() -> Value {
    rule("self != ''", "name is empty: write \"@\" for the apex of the zone")
}

/// `spec.name` of a DNSRecord.
pub(crate) fn record_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": MAX_NAME_LENGTH,
        "x-kubernetes-validations": [
            rule("self == oldSelf", "name is immutable: create a DNSRecord with the new name, then delete this one"),
            not_empty(),
            printable("the name"),
            labels(),
            name_length(),
            rule(
                r"!self.contains('*') || self.matches(r'^([*]([.]|$))?([^*\\]|\\.)*$')",
                "an asterisk stands alone as the first label: write \"*\" or \"*.shop\" for a wildcard, and \\042 \
                 for an asterisk that is an ordinary character",
            ),
        ],
    })
}

/// `spec.domain` of a Zone.
pub(crate) fn domain(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": MAX_NAME_LENGTH,
        "x-kubernetes-validations": [
            rule("self == oldSelf", "domain is immutable: create a Zone for the new domain, then delete this one"),
            rule("self != ''", "domain is empty: write the name of the zone, such as example.com"),
            rule("self != '@'", "\"@\" is no domain: write the name of the zone, such as example.com"),
            printable("the domain"),
            labels(),
            name_length(),
            rule("!self.contains('*')", "a zone is not a wildcard: write its name, such as example.com, and \
                 DNSRecords with the name \"*\""),
        ],
    })
}

fn hostname_rules() -> Value {
    json!([
        rule(
            format!("self.matches('^({HOST_LABEL}[.])*{HOST_LABEL}[.]?$')"),
            "not a hostname: write labels of letters, digits and hyphens with dots between them, such as \
             ns1.example.com",
        ),
        rule(
            "!self.matches('^[A-Za-z0-9_-]*$')",
            "a hostname here is absolute, and this one has a single label: write the whole name, such as \
             ns1.example.com, or with a last dot if the single label is meant",
        ),
    ])
}

/// An absolute hostname, with or without the last dot.
pub(crate) fn hostname(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": MAX_HOSTNAME_LENGTH,
        "x-kubernetes-validations": hostname_rules(),
    })
}

/// `spec.nameservers` of a Zone.
pub(crate) fn nameservers(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_NAMESERVERS,
        "items": hostname(generator),
        "x-kubernetes-list-type": "set",
    })
}

/// `spec.soa.contact` of a Zone: an e-mail address, or its form as a name.
pub(crate) fn contact(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": MAX_NAME_LENGTH,
        "x-kubernetes-validations": [rule(
            "self.matches('^[!-?A-~]+(@[!-?A-~]+)?$')",
            "not a mailbox: write an e-mail address, such as hostmaster@example.com",
        )],
    })
}

/// A TTL or a timer of a SOA in seconds.
pub(crate) fn seconds(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_TTL})
}

/// A whole number of 32 bits.
fn whole(minimum: u32, maximum: u32) -> Schema {
    json_schema!({"type": "integer", "format": "int32", "minimum": minimum, "maximum": maximum})
}

/// A percentage.
pub(crate) fn percent(_: &mut SchemaGenerator) -> Schema {
    whole(0, 100)
}

/// How many DNSRecords a grant takes.
pub(crate) fn limit(_: &mut SchemaGenerator) -> Schema {
    whole(0, 1_000_000)
}

/// `spec.removalDelay` of a Zone.
pub(crate) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 32,
        "x-kubernetes-validations": [rule(
            "self.matches('^([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$') && self != ''",
            "not a duration: write numbers with units, the largest first, such as 30s, 1h or 1d12h (d, h, m, s)",
        )],
    })
}

/// `spec.type` of a DNSRecord.
pub(crate) fn record_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 16,
        "x-kubernetes-validations": [
            rule("self == oldSelf", "type is immutable: create a DNSRecord with the new type, then delete this one"),
            rule("self.matches('^[A-Z0-9-]*$')", "a record type is in upper case: write A, AAAA, CNAME, TXT, ..., or \
                 TYPE and a number"),
            rule("!(self in ['SOA', 'TYPE6'])", "SOA is no DNSRecord: write it into spec.soa of the Zone"),
            rule(
                format!("!(self in [{}])", quoted(rtypes::REFUSED_TYPES)),
                "RRSIG, NSEC and NSEC3 come with signing: leave this record out",
            ),
            rule(
                format!(
                    "!self.matches('^[A-Z0-9-]*$') || self in ['SOA', {}] || {}",
                    quoted(rtypes::REFUSED_TYPES),
                    is_type(),
                ),
                "not a record type: write one of the IANA mnemonics, such as A, AAAA, CAA, CNAME, HTTPS, MX, NS, PTR, \
                 SRV, TXT, or TYPE and a number from 1 to 65534",
            ),
            rule(
                "!self.matches('^TYPE(41|12[89]|1[3-9][0-9]|2[0-4][0-9]|25[0-5])$')",
                "this number is a type of questions and messages, not of data: write the number of a data type \
                 (RFC 6895 section 3.1)",
            ),
        ],
    })
}

/// Whether `self` is a mnemonic, or `TYPE` and a number (RFC 3597 §5).
fn is_type() -> String {
    format!(
        "self in [{}] || (self.matches('^TYPE[1-9][0-9]{{0,4}}$') && int(self.substring(4)) <= 65534)",
        quoted(rtypes::KNOWN_TYPES)
    )
}

fn quoted(types: &[&str]) -> String {
    types.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

/// `spec.values` of a DNSRecord.
pub(crate) fn values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_VALUES,
        "x-kubernetes-list-type": "atomic",
        "items": {
            "type": "string",
            "maxLength": MAX_VALUE_LENGTH,
            "x-kubernetes-validations": [
                rule("self != ''", "the value is empty: write the data of the record, and \"\\\"\\\"\" for a TXT of no text"),
                rule("!self.matches('[\\r\\n]')", "the value has a line break: write it in one line; in YAML, >- joins \
                     lines and leaves the last line end out, | keeps them"),
            ],
        },
    })
}

/// `names` of a grant of records: patterns relative to the zone.
pub(crate) fn grant_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_NAMES_PER_GRANT,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "maxLength": MAX_PATTERN_LENGTH,
            "x-kubernetes-validations": [rule(
                format!("self == '@' || {}", is_pattern()),
                "not a name pattern: write a name relative to the zone, such as shop, \"*.shop\" for all below it, \
                 \"*\" for all, or \"@\" for the apex",
            )],
        },
    })
}

/// Whether `self` is a name, a wildcard or "*", without a last dot.
fn is_pattern() -> String {
    format!("self.matches(r'^([*]|([*][.])?({PATTERN_LABEL}[.])*{PATTERN_LABEL})$')")
}

/// `names` of a grant of child zones.
pub(crate) fn child_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_NAMES_PER_GRANT,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "maxLength": MAX_PATTERN_LENGTH,
            "x-kubernetes-validations": [rule(
                is_pattern(),
                "not the name of a child zone: write a name relative to this zone, such as labs, or \"*.labs\" for \
                 all below it",
            )],
        },
    })
}

/// `types` of a grant.
pub(crate) fn grant_types(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_TYPES_PER_GRANT,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "maxLength": 16,
            "x-kubernetes-validations": [rule(
                is_type(),
                "not a record type that can be granted: write types in upper case, such as A, AAAA, CNAME, TXT; SOA, \
                 RRSIG, NSEC and NSEC3 are never DNSRecords",
            )],
        },
    })
}

/// `spec.nameservers` of a NameserverSet.
pub(crate) fn nameserver_list(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_NAMESERVERS,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": generator.subschema_for::<crate::nameservers::Nameserver>(),
        "x-kubernetes-validations": [rule(
            "self.all(one, self.exists_one(other, (other.hostname.endsWith('.') ? other.hostname : other.hostname + \
             '.').lowerAscii() == (one.hostname.endsWith('.') ? one.hostname : one.hostname + '.').lowerAscii()))",
            "two nameservers have one hostname, and each is an NS of its own: write another hostname for each",
        )],
    })
}

/// `name` of a nameserver: a label of DNS that leaves room for the name of the set before it.
pub(crate) fn nameserver_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 20,
        "x-kubernetes-validations": [rule(
            "self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "not a name: write a lower case letter and then lower case letters, digits and hyphens, such as ns1",
        )],
    })
}

/// Labels: text by text.
pub(crate) fn label_map(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 63},
    })
}

/// Annotations of a Service.
pub(crate) fn annotations(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "maxLength": 4096},
    })
}

/// `spec.replicas` of a NameserverSet.
pub(crate) fn replicas(_: &mut SchemaGenerator) -> Schema {
    whole(1, 1000)
}

/// Questions that a pod is asked.
pub(crate) fn sample(_: &mut SchemaGenerator) -> Schema {
    whole(1, 100_000)
}

/// Of them, answers that may be wrong.
pub(crate) fn mismatches(_: &mut SchemaGenerator) -> Schema {
    whole(0, 100_000)
}

/// Nameservers that may be unavailable.
pub(crate) fn unavailable(_: &mut SchemaGenerator) -> Schema {
    whole(0, MAX_NAMESERVERS - 1)
}

/// A port of a node.
pub(crate) fn port(_: &mut SchemaGenerator) -> Schema {
    whole(1, 65_535)
}

/// `domains` of a grant of zones.
pub(crate) fn granted_domains(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_NAMES_PER_GRANT,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "maxLength": MAX_PATTERN_LENGTH,
            "x-kubernetes-validations": [rule(
                is_pattern(),
                "not a domain: write it without a last dot, such as example.com, \"*.example.com\" for all below it, or \
                 \"*\" for every one",
            )],
        },
    })
}

/// An address without a port.
pub(crate) fn address(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 64,
        "x-kubernetes-validations": [rule(
            format!("self.matches('^([0-9.]{{7,15}}|{ADDRESS_V6})$')"),
            "not an address: write it as 192.0.2.53 or 2001:db8::53",
        )],
    })
}

/// Addresses of a Service: one of each family.
pub(crate) fn two_addresses(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "maxItems": 2, "x-kubernetes-list-type": "set", "items": address(generator)})
}

/// Addresses with ports or without.
pub(crate) fn addresses(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "maxLength": 64,
            "x-kubernetes-validations": [rule(
                format!(
                    "self.matches('^([0-9.]{{7,15}}(:[0-9]{{1,5}})?|{ADDRESS_V6}|\\\\[{ADDRESS_V6}\\\\]:[0-9]{{1,5}})$')"
                ),
                "not an address: write it as 192.0.2.53, 192.0.2.53:5353, 2001:db8::53 or [2001:db8::53]:5353",
            )],
        },
    })
}

/// Where a DNS of before is reached.
pub(crate) fn legacy_addresses(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = addresses(generator);
    schema.insert("minItems".to_owned(), json!(1));
    schema.insert("maxItems".to_owned(), json!(8));
    schema
}

/// `spec.parent.addresses` of a ZoneMigration.
pub(crate) fn parent_addresses(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = addresses(generator);
    schema.insert("maxItems".to_owned(), json!(8));
    schema
}

/// `spec.cutover` of a ZoneMigration.
pub(crate) fn cutover(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 26,
        "x-kubernetes-list-type": "set",
        "items": nameserver_name(generator),
    })
}

/// How long an answer may take, in milliseconds.
pub(crate) fn answer_time(_: &mut SchemaGenerator) -> Schema {
    whole(1, 5000)
}

/// What two answers differ in: there are seven words for it.
pub(crate) fn difference_labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "maxItems": 8, "items": {"type": "string", "maxLength": 32}})
}

/// `spec.zoneRef` of a ZoneMigration.
pub(crate) fn migrated_zone(generator: &mut SchemaGenerator) -> Schema {
    let mut name = object_name(generator);
    name.insert("description".to_owned(), "The name of the Zone object (not its domain).".into());
    json_schema!({
        "type": "object",
        "required": ["name"],
        "properties": {"name": name},
        "x-kubernetes-validations": [rule(
            "self == oldSelf",
            "zoneRef is immutable: create another ZoneMigration for the other Zone, then delete this one",
        )],
    })
}

/// What every address of IPv6 looks like.
const ADDRESS_V6: &str = "[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,41}";

/// A prefix of addresses. That its bits beyond the length are zero is looked at by the operator.
pub(crate) fn prefix(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 64,
        "x-kubernetes-validations": [rule(
            format!("self.matches('^([0-9.]{{7,15}}|{ADDRESS_V6})(/[0-9]{{1,3}})?$')"),
            "not a prefix of addresses: write it as 192.0.2.0/24, 2001:db8::/48, or an address",
        )],
    })
}

/// The name of an object of Kubernetes.
pub(crate) fn object_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 253,
        "x-kubernetes-validations": [rule(
            "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
            "not the name of an object: write lower case letters, digits, hyphens and dots, such as example-com",
        )],
    })
}

/// The name of a namespace.
pub(crate) fn namespace_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 63,
        "x-kubernetes-validations": [rule(
            "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "not the name of a namespace: write lower case letters, digits and hyphens, such as dns",
        )],
    })
}
