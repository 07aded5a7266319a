//! Admission (being written).
