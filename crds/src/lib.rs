//! The custom resources of Port53 (being written).
