//! Aliases, depth and size, from those who mean harm.

use super::super::MAX_DEPTH;
use super::super::MAX_DOCUMENT;
use super::{all, at, problem, value};
use serde_json::json;

#[test]
fn aliases_are_what_their_anchors_say() {
    assert_eq!(
        value("a: &x [1, &y 2]\nb: *x\nc: *y\n*y : k"),
        json!({"a": [1, 2], "b": [1, 2], "c": 2, "2": "k"})
    );
    assert!(problem("a: *x").message.contains("anchor"));
    // An anchor is of its document only.
    assert!(all("a: &x 1\n---\nb: *x\n")[1].is_err());
}

#[test]
fn an_anchor_inside_itself_is_refused() {
    assert_eq!(at(problem("a: &x\n  b: *x\n").place), "2:6");
    problem("&x [*x]");
    problem("&x {<<: *x}");
}

#[test]
fn aliases_that_explode_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    assert!(problem(&text).message.contains("aliases"));
    let merges = format!("a: &a {{{}}}\nb:\n{}", keys(1_000), "- <<: *a\n".repeat(1_000));
    assert!(problem(&merges).message.contains("aliases"));
}

fn keys(count: usize) -> String {
    (0..count).map(|i| format!("k{i}: 1")).collect::<Vec<_>>().join(", ")
}

#[test]
fn aliases_of_a_long_text_are_refused() {
    let text = format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), vec!["*a"; 1_000].join(", "));
    assert!(problem(&text).message.contains("octets"));
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(all(&nested(MAX_DEPTH))[0].is_ok());
    assert!(problem(&nested(MAX_DEPTH + 1)).message.contains("inside one another"));
    problem(&"[".repeat(1 << 20));
    problem(&"- ".repeat(1 << 20));
    problem(&"? ".repeat(1 << 20));
    problem(&"{a: ".repeat(1 << 18));
    let by_alias = format!("a: &a {}\nb: {}*a{}", nested(40), "[".repeat(40), "]".repeat(40));
    assert!(problem(&by_alias).message.contains("inside one another"));
}

#[test]
fn values_of_a_mebibyte_are_read_and_documents_too_large_are_refused() {
    let large = format!("a: {}\n---\nb: {}\n---\nc: 1\n", "x".repeat(1 << 20), "x".repeat(MAX_DOCUMENT));
    let read = all(&large);
    assert!(read[0].is_ok());
    let refused = read[1].as_ref().expect_err("too large");
    assert!(refused.message.contains("1.5 MiB") && refused.place.line == 3, "{refused:?}");
    assert!(read[2].is_ok());
}
