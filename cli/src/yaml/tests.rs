//! What kubectl reads, trap by trap.

mod hostile;
mod manifests;
mod written;

use super::*;
use serde_json::{Value, json};

fn all(text: &str) -> Vec<Result<Document, Problem>> {
    documents(text.as_bytes())
}

fn one(text: &str) -> Document {
    let mut all = all(text);
    assert_eq!(all.len(), 1, "{text:?}: {all:?}");
    all.remove(0).unwrap_or_else(|problem| panic!("{text:?}: {} {problem}", at(problem.place)))
}

fn value(text: &str) -> Value {
    one(text).value
}

fn problem(text: &str) -> Problem {
    let mut all = all(text);
    assert_eq!(all.len(), 1, "{text:?}: {all:?}");
    all.remove(0).expect_err(text)
}

fn at(place: Place) -> String {
    format!("{}:{}", place.line, place.column)
}

/// Expected by sigs.k8s.io/yaml 1.6.0, which is what kubectl reads with.
#[test]
fn plain_scalars_are_what_go_yaml_v2_makes_of_them() {
    for text in ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE", "!!bool yes"] {
        assert_eq!(value(text), json!(true), "{text}");
    }
    for text in ["n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"] {
        assert_eq!(value(text), json!(false), "{text}");
    }
    let integers = [
        ("0x1F", 31),
        ("0X1f", 31),
        ("0b1", 1),
        ("-0b11", -3),
        ("0b-1", -1),
        ("010", 8),
        ("-010", -8),
        ("0o17", 15),
        ("1_000", 1000),
        ("+5", 5),
        ("09", 9),
        ("1e3", 1000),
        ("1.0", 1),
        ("-0.0", 0),
        ("-0", 0),
        ("1_0.0", 10),
        ("-9223372036854775808", i64::MIN),
        ("!!int \"7\"", 7),
        ("!!float 1", 1),
        ("1.", 1),
    ];
    for (text, expected) in integers {
        assert_eq!(value(text), json!(expected), "{text}");
    }
    assert_eq!(value("18446744073709551615"), json!(u64::MAX));
    for (text, expected) in
        [("1.5", 1.5), (".5", 0.5), ("+.5e1", 5.0), ("1_0.5", 10.5), ("1e21", 1e21), ("1e-7", 1e-7)]
    {
        assert_eq!(value(text).as_f64(), Some(expected), "{text}");
    }
    for text in [
        "yEs",
        "nO",
        "tru",
        "nul",
        "0x",
        "0b2",
        "08x",
        "1e",
        "1e400",
        "--1",
        "+",
        "1.2.3",
        "0x1.8p1",
        "1:30",
        "2020-01-01",
        "2001-12-14t21:59:43.10-05:00",
        "192.0.2.1",
        "=",
        "<<",
        "v=DKIM1; k=rsa",
        "a:b",
        "._5",
        "_1",
        ".inF",
        "Infinity",
        "nan",
        "1__x",
        "+0b1_2",
    ] {
        assert_eq!(value(&format!("a: {text}")), json!({"a": text}), "{text}");
    }
    for text in ["a:", "a: ~", "a: null", "a: Null", "a: NULL", "a: !!null ''"] {
        assert_eq!(value(text), json!({"a": null}), "{text}");
    }
}

#[test]
fn quotes_and_blocks_are_text() {
    assert_eq!(value("[\"1\", 'no', !!str 1, ! 1]"), json!(["1", "no", "1", "1"]));
    assert_eq!(value("a: |\n  1\nb: >-\n  no\n  on\n"), json!({"a": "1\n", "b": "no on"}));
    assert_eq!(value("a: !!binary aGk=\nb: !!binary |\n  /w\n  ==\n"), json!({"a": "hi", "b": "\u{fffd}"}));
    assert_eq!(value("a: !<tag:yaml.org,2002:str> 1"), json!({"a": "1"}));
}

#[test]
fn a_block_that_ends_with_the_file_gets_no_line_end() {
    for (text, expected) in [
        ("a: |\n", ""),
        ("a: |", ""),
        ("a: |+\n\n", "\n"),
        ("a: |\n  \n\n", ""),
        ("a: |\n  x", "x"),
        ("a: |+\n  x", "x"),
        ("a: |\n  x\n", "x\n"),
        ("a: >\n  x\n  y", "x y"),
        ("a: |\n  x\n# c", "x\n"),
        ("a: |\n  x\n  # c", "x\n# c"),
        ("a: |\n  x\n  ", "x\n"),
        ("a: |-\n  x", "x"),
        ("a: |\r\n  x\r\n", "x\n"),
    ] {
        assert_eq!(value(text), json!({ "a": expected }), "{text:?}");
    }
}

#[test]
fn what_is_wrong_with_the_end_is_said_of_the_last_line() {
    assert_eq!(problem("a: 1\nb: [\n").place.line, 2);
    assert_eq!(problem("a: 1\nb: \"x\n  y").place.line, 2);
}

#[test]
fn keys_that_are_not_text_become_text() {
    assert_eq!(
        value("1: a\nyes: b\n1.5: c\n1e30: d\n0.00001: e\n1234567.5: f\n0x10: g\n2020-01-01: h"),
        json!({"1": "a", "true": "b", "1.5": "c", "1e+30": "d", "1e-05": "e", "1.2345675e+06": "f", "16": "g",
               "2020-01-01": "h"})
    );
    assert_eq!(at(problem("a: 1\n~: 1").place), "2:1");
    assert_eq!(at(problem("{a: 1}: 1").place), "1:1");
    assert_eq!(at(problem("18446744073709551615: 1").place), "1:1");
}

#[test]
fn unknown_tags_are_refused() {
    for text in ["a: !foo 1", "a: !!set {x}", "a: !!timestamp 2020-01-01", "a: !!str [1]", "a: !!seq {}"] {
        assert_eq!(at(problem(text).place).split(':').next(), Some("1"), "{text}");
    }
    assert!(problem("a: !foo 1").message.contains("\"!foo\""));
    assert_eq!(value("a: !!seq [1]\nb: !!map {c: 2}"), json!({"a": [1], "b": {"c": 2}}));
    problem("a: !!int x");
    problem("a: !!binary '*'");
    problem("a: .inf");
    problem("a: .nan");
}

#[test]
fn merge_keys_work_as_in_go_yaml_v2() {
    assert_eq!(value("<<: {a: 1, b: 2}\na: 3"), json!({"a": 3, "b": 2}));
    assert_eq!(value("{a: 1, <<: {a: 2, b: 3}}"), json!({"a": 2, "b": 3}));
    assert_eq!(value("<<: [{a: 1}, {a: 2, c: 3}]"), json!({"a": 1, "c": 3}));
    assert_eq!(
        value("x: &x {a: 1}\nw: {<<: *x, b: 2}\nz: {<<: [*x]}"),
        json!({"x": {"a": 1}, "w": {"a": 1, "b": 2}, "z": {"a": 1}})
    );
    assert_eq!(value("'<<': 1"), json!({"<<": 1}));
    problem("<<: 1");
    problem("x: &x [1]\n<<: *x");
    assert_eq!(at(one("x: &x\n  a: 1\nw:\n  <<: *x\n").places.of("w.a")), "2:6");
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let twice = problem("a: 1\nb: 2\n  \na: 3\n");
    assert_eq!(at(twice.place), "4:1");
    assert!(twice.message.contains("line 1 and on line 4"), "{}", twice.message);
    problem("{1: a, \"1\": b}");
    problem("<<: {a: 0}\na: 1\na: 2");
}

#[test]
fn a_key_that_stands_twice_among_many_is_refused() {
    let many = (0..30).map(|i| format!("k{i}: {i}\n")).collect::<String>();
    for i in [0, 7, 8, 9, 29] {
        assert_eq!(at(problem(&format!("{many}k{i}: x\n")).place), "31:1", "{i}");
        assert_eq!(value(&format!("<<: {{k{i}: x}}\n{many}"))[format!("k{i}")], json!(i));
        assert_eq!(value(&format!("{many}<<: {{k{i}: x}}\n"))[format!("k{i}")], json!("x"));
    }
}

#[test]
fn one_malformed_document_hides_no_other() {
    let read = all("a: 1\n---\nb: [\n--- # comment\nc: 'x\n---\td: 4\n---\n\te: 5\n  f\n---\ng: 7\n");
    let said: Vec<_> = read
        .iter()
        .map(|read| {
            read.as_ref().map(|read| (read.line, read.value.clone())).map_err(|problem| problem.place.line)
        })
        .collect();
    assert_eq!(said[0], Ok((1, json!({"a": 1}))));
    assert!(matches!(said[1], Err(3..=4)), "{said:?}");
    assert!(said[2].is_err(), "{said:?}");
    assert!(said.contains(&Ok((11, json!({"g": 7})))), "{said:?}");
}

#[test]
fn documents_are_cut_where_kubectl_cuts_them() {
    let lines = |text: &str| {
        all(text)
            .into_iter()
            .map(|read| read.expect(text))
            .map(|read| (read.line, read.value))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lines("---\n---\na: 1\n--- \r\n# only a comment\n---#c\n\nb: 2\n---\n~\n---"),
        [(3, json!({"a": 1})), (8, json!({"b": 2}))]
    );
    assert_eq!(
        lines("--- {a: 1}\n--- |\n  text\n--- b\n"),
        [(1, json!({"a": 1})), (3, json!("text\n")), (4, json!("b"))]
    );
    // Neither a separator to YAML nor to kubectl.
    assert_eq!(lines("---a\n"), [(1, json!("---a"))]);
    assert_eq!(lines("a: |\n  ---\n  b\n"), [(1, json!({"a": "---\nb\n"}))]);
    assert_eq!(lines(""), []);
    assert_eq!(lines("# nothing\n\n"), []);
    assert_eq!(lines("a: 1\r\nb: 2\r\n---\r\nc: 3"), [(1, json!({"a": 1, "b": 2})), (4, json!({"c": 3}))]);
}

#[test]
fn what_follows_the_end_of_a_document_is_refused() {
    assert_eq!(value("a: 1\n...\n# comment\n"), json!({"a": 1}));
    assert_eq!(problem("a: 1\n...\nb: 2\n").place.line, 3);
}

#[test]
fn json_is_read() {
    let text = "{\n\t\"a\": [1, \"\\u00e4\\/\", true, null],\n\t\"b\":{\"c\":\"\u{2028}\u{7f}\"}\n}\n";
    assert_eq!(value(text), json!({"a": [1, "ä/", true, null], "b": {"c": "\u{2028}\u{7f}"}}));
    assert_eq!(at(one(text).places.of("b.c")), "3:11");
    let several = all("{\"a\": 1}{\"b\": 2}\n\n {\"c\": 3}");
    let read: Vec<_> = several.into_iter().map(|read| read.expect("JSON")).collect();
    assert_eq!(
        read.iter().map(|read| read.value.clone()).collect::<Vec<_>>(),
        [json!({"a": 1}), json!({"b": 2}), json!({"c": 3})]
    );
    assert_eq!(at(read[1].places.of("b")), "1:15");
    assert_eq!(at(read[2].places.of("c")), "3:8");
}

#[test]
fn surrogates_in_json_are_read_and_move_no_place() {
    let read = one(r#"{"a": "\ud83d\ude00\\ud83d \ud83d\ude00", "b": {"\ud83d\ude00": 1, "c": 2}}"#);
    assert_eq!(read.value, json!({"a": "😀\\ud83d 😀", "b": {"😀": 1, "c": 2}}));
    assert_eq!(at(read.places.of("b.c")), "1:73");
    problem(r#"{"a": "\ud83d"}"#);
    // YAML has no such pairs, and kubectl refuses them.
    problem(r#"a: "\ud83d\ude00""#);
}

#[test]
fn octets_that_are_not_utf8_are_refused_with_their_place() {
    let read = documents(b"a: 1\n---\nb: 2\nc: \xc3\xa4\xff\n---\nd: 4\n");
    assert_eq!(read.len(), 3);
    assert_eq!(at(read[1].as_ref().expect_err("not UTF-8").place), "4:5");
}

#[test]
fn a_byte_order_mark_is_skipped_and_utf16_is_named() {
    assert_eq!(value("\u{feff}a: 1"), json!({"a": 1}));
    assert_eq!(at(one("\u{feff}a: 1").places.of("a")), "1:4");
    for text in [&b"\xff\xfea\0:\0"[..], b"\xfe\xff\0a"] {
        let read = documents(text);
        assert!(matches!(&read[..], [Err(problem)] if problem.message.contains("UTF-16")), "{read:?}");
    }
    assert!(documents(b"a\0:\0")[0].as_ref().expect_err("no BOM").fix.contains("UTF-16"));
}

#[test]
fn a_nul_does_not_end_the_text() {
    assert_eq!(at(problem("a: 1\nb: \0\nc: 3").place), "2:4");
    problem("a: 1\0");
    problem("a: x\u{85}y");
    problem("# x\u{2028}a: 1");
}

#[test]
fn every_field_has_its_place() {
    let text = "# c\nspec:\n  values:\n  - ä1\n  - b: {c: 1, d: [x, y]}\n  'a.b/c[0]': 7\n  empty:\n  z: |\n    t\nlabels: {a.b/c: x}\n";
    let places = one(text).places;
    let expected = [
        ("", "2:1"),
        ("spec", "2:1"),
        ("spec.values", "3:3"),
        ("spec.values[0]", "4:5"),
        ("spec.values[1]", "5:5"),
        ("spec.values[1].b", "5:5"),
        ("spec.values[1].b.c", "5:12"),
        ("spec.values[1].b.d", "5:15"),
        ("spec.values[1].b.d[1]", "5:22"),
        ("spec[a.b/c[0]]", "6:15"),
        ("spec.empty", "7:3"),
        ("spec.z", "9:5"),
        ("labels[a.b/c]", "10:17"),
        ("labels.a.b/c", "10:1"),
        ("spec.values[7].x", "3:3"),
        ("spec.none.more", "2:1"),
        ("none", "2:1"),
        ("spec.values[x]", "3:3"),
        ("spec.values[", "3:3"),
        ("..", "2:1"),
    ];
    for (field, place) in expected {
        assert_eq!(at(places.of(field)), place, "{field}");
    }
}

#[test]
fn what_is_read_as_it_is_written_is_not_guessed_at() {
    let text = "no: y\n1.10: 010\n'q': !!int 7\nempty:\n? ''\n: ~\nlist: [yes, 1_0, null, \"null\"]\n";
    let read = read(text.as_bytes(), Reading::AS_WRITTEN).remove(0).expect("a document").value;
    let expected = json!({
        "no": "y", "1.10": "010", "q": 7, "empty": null, "": null, "list": ["yes", "1_0", null, "null"],
    });
    assert_eq!(read, expected);
}

/// What `kubectl get` prints of a cluster is one document.
#[test]
fn a_list_may_be_larger_than_a_manifest() {
    let text = format!("items:\n{}", "- a: 0123456789\n".repeat(MAX_DOCUMENT / 16));
    assert!(documents(text.as_bytes()).remove(0).is_err());
    let read = read(text.as_bytes(), Reading::LIST).remove(0).expect("a document");
    assert_eq!(read.value["items"].as_array().map(Vec::len), Some(MAX_DOCUMENT / 16));
}
