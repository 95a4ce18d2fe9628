//! Integration tests, one binary.

mod window_cost;
