//! YAML (being written).
