//! stub
#![allow(missing_docs, clippy::all)]
use port53_zone::{Name, RRset, Soa};
pub struct ZoneData {
    pub apex: Name,
    pub soa: Soa,
    pub rrsets: Vec<RRset>,
}
pub struct Options {
    pub namespace: Option<String>,
}
pub struct Converted {
    pub objects: Vec<serde_json::Value>,
    pub refused: Vec<(RRset, String)>,
    pub warnings: Vec<String>,
}
pub fn manifests(_z: &ZoneData, _o: &Options) -> Converted {
    Converted { objects: vec![], refused: vec![], warnings: vec![] }
}
pub fn render(_o: &[serde_json::Value]) -> String {
    String::new()
}
pub fn zone_object_name(_n: &Name) -> String {
    String::new()
}
