//! Formats against independent readers.
