//! What the fixtures of `tests/fixtures/api` do not show: defaults, fixes, sizes, and objects of others.

use serde_json::{Value, json};

use super::*;

fn admission() -> Admission {
    Admission::new().unwrap()
}

fn object(kind: &str, spec: Value) -> Value {
    json!({
        "apiVersion": port53_crds::API_VERSION,
        "kind": kind,
        "metadata": {"name": "www", "namespace": "dns"},
        "spec": spec,
    })
}

fn record(values: Value) -> Value {
    object(
        "DNSRecord",
        json!({"zoneRef": {"name": "example-com"}, "name": "www", "type": "TXT", "values": values}),
    )
}

fn refusals(object: &Value) -> Vec<Refusal> {
    admission().admit(object, None).expect_err("it is refused")
}

fn fix(object: &Value) -> String {
    let refusals = refusals(object);
    assert_eq!(refusals.len(), 1, "{refusals:#?}");
    refusals[0].fix.clone()
}

#[test]
fn defaults_are_filled_in() {
    let admitted = admission().admit(&object("Zone", json!({"domain": "example.com"})), None).unwrap();
    let soa = json!({"ttl": 3600, "refresh": 3600, "retry": 600, "expire": 604_800, "negativeTTL": 300});
    assert_eq!(admitted["spec"]["soa"], soa);
    assert_eq!(admitted["spec"]["defaultTTL"], 300);
    assert_eq!(admitted["spec"]["guard"], json!({"maxRemovedPercent": 30}));
    assert_eq!(admitted["spec"]["removalDelay"], "1h");
    assert_eq!(admitted["spec"]["serialPolicy"], "Increment");
    assert_eq!(admitted["status"], json!({"observedGeneration": -1}));
    assert_eq!(admitted["metadata"], json!({"name": "www", "namespace": "dns"}));
}

#[test]
fn defaults_are_filled_in_beside_what_is_written() {
    let zone = object("Zone", json!({"domain": "example.com", "soa": {"ttl": 5, "retry": null}}));
    let admitted = admission().admit(&zone, None).unwrap();
    assert_eq!(admitted["spec"]["soa"]["ttl"], 5);
    assert_eq!(admitted["spec"]["soa"]["retry"], 600);
}

/// What is admitted is what the operator reads.
#[test]
fn what_is_admitted_is_of_its_type() {
    let zone = object("Zone", json!({"domain": "example.com", "soa": {"initialSerial": 4_294_967_295u32}}));
    let zone: port53_crds::Zone = serde_json::from_value(admission().admit(&zone, None).unwrap()).unwrap();
    assert_eq!(zone.spec.soa.initial_serial, Some(u32::MAX));
    assert_eq!(zone.status.unwrap().observed_generation, port53_crds::NOT_OBSERVED);
    let record: port53_crds::DNSRecord =
        serde_json::from_value(admission().admit(&record(json!(["x"])), None).unwrap()).unwrap();
    assert_eq!(record.spec.values, ["x"]);
}

#[test]
fn objects_are_told_apart() {
    let admission = admission();
    assert_eq!(admission.knows("port53.dev/v1alpha1", "Zone"), Known::Ours);
    assert_eq!(admission.knows("port53.dev/v1alpha1", "Record"), Known::UnknownKind);
    assert_eq!(admission.knows("port53.dev/v1", "Zone"), Known::UnknownVersion);
    assert_eq!(admission.knows("v1", "Service"), Known::Foreign);
    assert_eq!(admission.knows("externaldns.k8s.io/v1alpha1", "DNSEndpoint"), Known::Foreign);
}

#[test]
fn an_unknown_kind_is_refused_with_what_was_meant() {
    let found = refusals(&json!({"apiVersion": "port53.dev/v1alpha1", "kind": "DnsRecord"}));
    assert_eq!(found[0].message, "no matches for kind \"DnsRecord\" in version \"port53.dev/v1alpha1\"");
    assert_eq!(
        (found[0].field.as_str(), found[0].fix.as_str()),
        ("kind", "write DNSRecord if that is meant")
    );
    let found = refusals(&json!({"apiVersion": "port53.dev/v1", "kind": "Zone"}));
    assert_eq!((found[0].field.as_str(), found[0].fix.as_str()), ("apiVersion", "write port53.dev/v1alpha1"));
}

#[test]
fn what_is_no_object_is_refused() {
    for value in
        [json!(null), json!([]), json!("x"), json!({}), json!({"kind": "Zone"}), json!({"apiVersion": 1})]
    {
        assert_eq!(refusals(&value).len(), 1, "{value}");
    }
}

#[test]
fn unknown_fields_come_with_what_was_meant() {
    let mut misspelt = record(json!(["x"]));
    misspelt["spec"]["TTL"] = json!(5);
    assert_eq!(fix(&misspelt), "write ttl if that is meant, or leave it out");
    let mut misspelt = record(json!(["x"]));
    misspelt["spec"]["comment"] = json!("for the shop");
    assert_eq!(fix(&misspelt), "leave it out; the fields here are name, ttl, type, values, zoneRef");
}

#[test]
fn values_of_the_wrong_type_come_with_how_to_write_them() {
    let quotes = "write it in quotes: without them YAML reads no, off, on, yes and their like as booleans";
    assert_eq!(fix(&record(json!([true]))), quotes);
    assert_eq!(fix(&record(json!([1.5]))), "write it in quotes: without them YAML reads the number 1.5");
    assert_eq!(fix(&record(json!("v=spf1 -all"))), "write a list, even of one: [\"v=spf1 -all\"]");
    for (ttl, expected) in [
        ("60", "write it without quotes: 60"),
        ("1h", "write seconds: 3600"),
        ("soon", "write a whole number"),
    ] {
        let mut record = record(json!(["x"]));
        record["spec"]["ttl"] = json!(ttl);
        assert_eq!(fix(&record), expected);
    }
    let mut record = record(json!(["x"]));
    record["spec"]["zoneRef"] = json!("example-com");
    assert_eq!(fix(&record), "write a mapping with the fields name, namespace");
}

#[test]
fn a_missing_field_comes_with_what_it_is() {
    let zone = object("Zone", json!({}));
    assert_eq!(
        fix(&zone),
        "write domain: The name of the zone, with or without the last dot, such as example.com"
    );
}

#[test]
fn a_refusal_says_its_fix_once() {
    let rule = &refusals(&record(json!([""])))[0];
    assert_eq!(
        rule.to_string(),
        "spec.values[0]: the value is empty: write the data of the record, and \"\\\"\\\"\" for a TXT of no text"
    );
    let bound = &refusals(&record(json!([])))[0];
    assert_eq!(bound.to_string(), "spec.values: should have at least 1 items: write at least 1");
}

/// A wrong field hides the rules of what contains it, and of nothing else.
#[test]
fn everything_wrong_is_said_at_once() {
    let spec = |ttl: Value| {
        let zone = json!({"name": "Example"});
        object(
            "DNSRecord",
            json!({"zoneRef": zone, "name": "@", "type": "CNAME", "ttl": ttl, "values": ["", "x"]}),
        )
    };
    let fields = |object: &Value| -> Vec<String> {
        refusals(object).into_iter().map(|refusal| refusal.field).collect()
    };
    assert_eq!(fields(&spec(json!("x"))), ["spec.ttl", "spec.zoneRef.name", "spec.values[0]"]);
    let all = ["spec.ttl", "spec.values", "spec.type", "spec.zoneRef.name", "spec.values[0]"];
    assert_eq!(fields(&spec(json!(-1))), all);
}

#[test]
fn what_is_immutable_is_compared_in_an_update_alone() {
    let mut new = record(json!(["x"]));
    new["spec"]["name"] = json!("web");
    assert!(admission().admit(&new, None).is_ok());
    let found = admission().admit(&new, Some(&record(json!(["x"])))).unwrap_err();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].field, "spec.name");
}

#[test]
fn numbers_beyond_their_format_are_refused() {
    let mut record = record(json!(["x"]));
    record["status"] = json!({"observedGeneration": 1e19});
    let found = refusals(&record);
    assert_eq!(found[0].field, "status.observedGeneration");
    assert_eq!(found[0].message, "should be between -9223372036854775808 and 9223372036854775807");
}

#[test]
fn a_number_that_is_whole_is_an_integer() {
    let mut record = record(json!(["x"]));
    record["spec"]["ttl"] = json!(60.0);
    assert!(admission().admit(&record, None).is_ok());
}

#[test]
fn an_object_that_is_too_large_to_be_stored_is_refused_as_a_whole() {
    let size = |object: &Value| serde_json::to_string(object).unwrap().len();
    let of_size = |octets: usize| {
        let mut values = vec!["x".repeat(32_000); 49];
        values.push(String::new());
        let rest = octets - size(&record(json!(values)));
        values[49] = "x".repeat(rest);
        record(json!(values))
    };
    assert_eq!(size(&of_size(MAX_OBJECT)), MAX_OBJECT);
    assert!(admission().admit(&of_size(MAX_OBJECT), None).is_ok());
    let found = refusals(&of_size(MAX_OBJECT + 1));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].field, "");
    assert!(found[0].message.contains("1572865 octets"), "{}", found[0].message);
}

/// Objects from strangers in a pull request end, whatever they hold.
#[test]
fn hostile_objects_are_refused() {
    let texts = |count: usize, length: usize| json!(vec!["x".repeat(length); count]);
    for (values, expected) in [
        (json!(vec![""; 65_536]), 1),
        (json!(vec![1; 65_536]), 65_537),
        (texts(512, 65_536), 1),
        (texts(1, 1 << 20), 1),
        (texts(512, 3), 0),
    ] {
        let found = admission().admit(&record(values), None).err().unwrap_or_default();
        assert_eq!(found.len(), expected, "{:?}", found.first());
    }
    let fields: serde_json::Map<String, Value> =
        (0..50_000).map(|number| (format!("field{number}"), json!({}))).collect();
    assert_eq!(refusals(&object("DNSRecord", fields.into())).len(), 50_004);
    let mut deep = json!({});
    for _ in 0..60 {
        deep = json!({"a": [deep]});
    }
    assert_eq!(
        fix(&object("Zone", json!({"domain": "example.com", "soa": {"ttl": deep}}))),
        "write a whole number"
    );
}

/// To an API server these are characters, to the library here operators: `[+--/]` held other characters.
#[test]
fn patterns_that_mean_something_else_are_no_rules() {
    let rule = json!({"rule": "self.matches('^[+--/]$')", "message": "no: write something else"});
    let error = Engine::new().unwrap().compile(&rule).err().unwrap();
    assert!(error.contains("-- in a pattern"), "{error}");
}

/// One is built for a whole process, whichever threads judge with it.
#[test]
fn admission_is_shared_between_threads() {
    let admission = admission();
    let judge = || admission.admit(&record(json!([""])), None).unwrap_err().len();
    let found = std::thread::scope(|scope| {
        let threads = [scope.spawn(judge), scope.spawn(judge)];
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(found, [1, 1]);
}
