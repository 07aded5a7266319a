//! Convert (being written).
