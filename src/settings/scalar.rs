//! Scalars as people and environments write them: `4`, `"4"` and `4` from a variable are one value.

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::str::FromStr;

/// A type that is written as one word.
pub(super) trait Word: FromStr {
    /// What a message says was expected.
    const EXPECTED: &'static str;
}

impl Word for String {
    const EXPECTED: &'static str = "text";
}

impl Word for bool {
    const EXPECTED: &'static str = "true or false";
}

impl Word for NonZeroUsize {
    const EXPECTED: &'static str = "a whole number of at least 1";
}

impl Word for SocketAddr {
    const EXPECTED: &'static str = "an address such as 127.0.0.1:9464";
}

/// A value read from a scalar of any kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scalar<T>(pub(super) T);

impl<'de, T: Word> Deserialize<'de> for Scalar<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor(PhantomData))
    }
}

struct ScalarVisitor<T>(PhantomData<T>);

impl<T: Word> ScalarVisitor<T> {
    fn read<E: Error>(text: &str, found: Unexpected<'_>) -> Result<Scalar<T>, E> {
        text.parse().map(Scalar).map_err(|_| E::invalid_value(found, &T::EXPECTED))
    }
}

impl<T: Word> Visitor<'_> for ScalarVisitor<T> {
    type Value = Scalar<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar<T>, E> {
        Self::read(&value.to_string(), Unexpected::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar<T>, E> {
        Self::read(&value.to_string(), Unexpected::Signed(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar<T>, E> {
        Self::read(&value.to_string(), Unexpected::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Scalar<T>, E> {
        Self::read(value.trim(), Unexpected::Str(value))
    }
}
