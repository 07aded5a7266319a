//! Lists that are too long for a status, as ConfigMaps beside the migration. Pure.
//!
//! ```text
//! NAME.rejects, NAME.rejects.1, …        data: {"rejects.json": "[…]"}, in the first also "shares": "2"
//! NAME.differences, …                    data: {"differences.json": "[…]"}
//! NAME.shadow, …                         data: {"shadow.json": "[…]"}
//! ```
//!
//! Each begins with the most of the list that it holds; the next goes on. The first says how many there are: those beyond are
//! of a longer list before, and stay as they were.

use serde::Serialize;
use serde_json::{Value, json};

/// Octets of a list in one ConfigMap, of the MiB that it may have.
const SHARE: usize = 768 * 1024;

/// Where the first ConfigMap of a list says how many it has.
pub const SHARES: &str = "shares";

/// The ConfigMaps of a list, by name, with their data.
pub(super) fn config_maps<T: Serialize>(migration: &str, kind: &str, list: &[T]) -> Vec<(String, Value)> {
    let mut shares: Vec<Vec<Value>> = vec![Vec::new()];
    let mut octets = 0;
    for item in list {
        let value = json!(item);
        let length = value.to_string().len() + 1;
        if octets + length > SHARE && octets > 0 {
            shares.push(Vec::new());
            octets = 0;
        }
        octets += length;
        if let Some(share) = shares.last_mut() {
            share.push(value);
        }
    }
    let count = shares.len();
    let named = shares.into_iter().enumerate().map(|(number, share)| {
        let mut data = json!({file(kind): Value::from(share).to_string()});
        if number == 0 {
            data[SHARES] = count.to_string().into();
        }
        (name(migration, kind, number), data)
    });
    named.collect()
}

/// The name of one of them, counted from 0.
pub fn name(migration: &str, kind: &str, number: usize) -> String {
    match number {
        0 => format!("{migration}.{kind}"),
        number => format!("{migration}.{kind}.{number}"),
    }
}

/// What the list is called within.
pub fn file(kind: &str) -> String {
    format!("{kind}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_in_several() {
        let list = vec!["x".repeat(1000); 1000];
        let maps = config_maps("example", "rejects", &list);
        assert_eq!(
            maps.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["example.rejects", "example.rejects.1"]
        );
        assert_eq!((&maps[0].1["shares"], &maps[1].1["shares"]), (&json!("2"), &Value::Null));
        let read = maps.iter().flat_map(|(_, data)| {
            let text = data["rejects.json"].as_str().expect("text");
            assert!(text.len() <= SHARE);
            serde_json::from_str::<Vec<String>>(text).expect("a list")
        });
        assert_eq!(read.count(), 1000);
        assert_eq!(config_maps::<String>("example", "rejects", &[])[0].1["rejects.json"], "[]");
    }
}
