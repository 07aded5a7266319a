//! answer (being written).
