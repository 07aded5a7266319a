//! The writer, and that what is written reads back.

use super::super::{documents, split, write};
use super::{all, value};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn text_that_reads_as_something_else_is_quoted() {
    let texts = [
        "no",
        "on",
        "y",
        "1e3",
        "010",
        "0x1",
        "~",
        "1_0",
        "@",
        "*",
        "=",
        "2020-01-01",
        "1:30",
        "",
        " a",
        "a ",
        "a: b",
        "a #b",
        "a:",
        "- a",
        "-",
        "---",
        "...",
        "#a",
        "&a",
        "!a",
        "%a",
        "`a",
        "'",
        "\"",
        "|",
        ">",
        "{",
        "[",
        "?",
        "<<",
        "null",
        "a\nb",
        "a\tb",
        "a\u{85}",
        "\u{feff}",
        "\u{0}",
        "1,000",
        "2001-12-14 21:59:43",
        ".",
        "0b1",
    ];
    for text in texts {
        let written = write(&json!({ "a": text }));
        assert!(written.starts_with("a: \"") || written.starts_with("a: '"), "{written}");
        assert_eq!(value(&written), json!({ "a": text }), "{written}");
    }
    for text in [
        "192.0.2.1",
        "2001:db8::1",
        "10 mail.example.com.",
        "v=spf1 -all",
        "0 issue \"ca.example.net\"",
        "www",
        "\\# 4 0a000001",
    ] {
        assert_eq!(write(&json!({ "a": text })), format!("a: {text}\n"));
    }
}

#[test]
fn the_style_is_that_of_manifests() {
    let value = json!({"kind": "DNSRecord", "spec": {"name": "@", "values": ["192.0.2.1", "\"a\" \"b\""], "none": {}, "empty": [],
        "list": [{"a": 1, "b": [[true], null]}]}});
    let expected = "kind: DNSRecord\nspec:\n  name: \"@\"\n  values:\n  - 192.0.2.1\n  - '\"a\" \"b\"'\n  none: {}\n  empty: []\n  \
                    list:\n  - a: 1\n    b:\n    - - true\n    - null\n";
    assert_eq!(write(&value), expected);
    let long = "k".repeat(3_000);
    let value = json!({ "a": [{ long: {"x": [1]} }] });
    assert_eq!(super::value(&write(&value)), value);
}

/// Any JSON, with numbers as an API server stores them.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300f64)
            .prop_filter("a fraction", |x| x.fract() != 0.0 || x.abs() > 1e20)
            .prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any_text(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-0-9a-fxobeEtTzZ_+.:, ]{0,8}",
        "[-?:,\\[\\]{}#&*!|>'\"%@`~=<yYnNoOfF. \\\\\t\n\r]{0,6}",
        "[a-z]{1,4}[:# ]{0,2}[a-z]{0,3}",
    ]
}

proptest! {
    #[test]
    fn no_octets_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
        documents(&text);
    }

    #[test]
    fn no_yaml_panics(text in "(---|\\.\\.\\.|[-?:,\\[\\]{}#&*!|>'\"%@`~<a1] ?|[ \t\r\n]|<<: |&a |\\*a|!!str |%TAG |ä|\\\\u00){0,60}") {
        for document in all(&text).into_iter().flatten() {
            let _ = (document.places.of("a[1].b"), document.places.of(&text));
        }
    }

    #[test]
    fn json_written_by_serde_json_reads_back(value in any_json()) {
        prop_assume!(!value.is_null());
        for text in [value.to_string(), serde_json::to_string_pretty(&value).expect("JSON")] {
            // Only objects are known to be JSON; elsewhere YAML takes some characters in escapes only.
            if value.is_object() || text.chars().all(split::is_allowed) {
                prop_assert_eq!(&super::value(&text), &value, "{}", text);
            }
        }
    }

    #[test]
    fn what_is_written_reads_back(value in any_json()) {
        prop_assume!(!value.is_null());
        let text = write(&value);
        prop_assert_eq!(&super::value(&text), &value, "{}", text);
    }

    #[test]
    fn any_text_written_is_the_same_text_read(text in any_text()) {
        let written = write(&json!([{ "a": text.clone(), text.clone(): [text.clone()] }]));
        prop_assert_eq!(value(&written), json!([{ "a": text.clone(), text.clone(): [text] }]), "{}", written);
    }
}
