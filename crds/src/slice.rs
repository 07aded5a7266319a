//! ZoneSlice: an immutable node of the content of a zone.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::published;

/// A node of the content of a zone: about a hundred RRsets, or the names of about a hundred slices. Its name is
/// the digest of its octets, so that what two versions or two zones share is stored once.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "port53.dev",
    version = "v1alpha1",
    kind = "ZoneSlice",
    plural = "zoneslices",
    namespaced,
    derive = "PartialEq",
    shortname = "zslice",
    doc = "A node of the content of a zone, named by the digest of its octets. Written by the operator alone.",
    printcolumn(name = "Format", type_ = "integer", json_path = ".spec.format"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(
    validation = Rule::new("self == oldSelf")
        .message("a ZoneSlice is immutable: create one named by the digest of the other octets and leave this one")
)]
pub struct ZoneSliceSpec {
    /// The format of the octets.
    #[schemars(schema_with = "published::format")]
    pub format: u8,
    /// The octets in base64. At most 768 KiB before base64.
    #[schemars(schema_with = "published::data")]
    pub data: String,
}
