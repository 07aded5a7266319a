//! Slices as objects.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kube::core::ObjectMeta;
use port53_crds::{MAX_SLICE, ZoneSlice, ZoneSliceSpec};
use port53_zone::content::{Digest, Slice};

use crate::StoreError;

/// The format that is written. The octets carry their own, too.
const FORMAT: u8 = 1;

/// The object of a slice, named by its digest.
pub fn slice_object(namespace: &str, digest: &Digest, slice: &Slice) -> ZoneSlice {
    ZoneSlice {
        metadata: ObjectMeta {
            name: Some(digest.to_string()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        spec: ZoneSliceSpec { format: FORMAT, data: BASE64_STANDARD.encode(&slice.0) },
    }
}

/// The slice of an object, checked against its name.
///
/// # Errors
/// When it is in a format that is not known here, is no base64, or has other octets than its name says.
pub fn read_slice(object: &ZoneSlice) -> Result<(Digest, Slice), StoreError> {
    if object.spec.format != FORMAT {
        let wrong = format!("format {} is not known here: use a newer version", object.spec.format);
        return Err(StoreError::field("spec.format", wrong));
    }
    let octets = BASE64_STANDARD
        .decode(&object.spec.data)
        .map_err(|error| StoreError::field("spec.data", format!("no base64: {error}")))?;
    if octets.len() > MAX_SLICE {
        return Err(StoreError::field("spec.data", format!("more than {MAX_SLICE} octets")));
    }
    let slice = Slice(octets.into());
    let digest = slice.digest();
    let name = object.metadata.name.clone().unwrap_or_default();
    if name != digest.to_string() {
        return Err(StoreError::Name { name, expected: digest.to_string() });
    }
    Ok((digest, slice))
}
