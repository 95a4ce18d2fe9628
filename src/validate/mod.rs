//! Validation of decoded rows.

pub mod gates;
