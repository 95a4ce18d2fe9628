//! Column values as 64-bit ordering keys: one buffer, one comparison for every type.
//!
//! A key orders as its value does. Floats are ordered as IEEE 754 totalOrder with every NaN made
//! the greatest value, as SQL databases and Arrow's kernels do; a text's key is the number
//! the lane's [`Symbols`](super::Symbols) gave it and has no order.

use arrow::{
    array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray},
    datatypes::{
        DataType, Date32Type, Date64Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
        UInt64Type,
    },
};
use std::{ops::RangeInclusive, sync::Arc};

/// How the keys of a column are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No values, only events.
    Nothing,
    /// Order-preserving bits of a 64-bit float.
    Float,
    /// Integers that fit 64 bits with a sign, booleans, dates and timestamps.
    Integer,
    /// 64-bit integers without a sign.
    Unsigned,
    /// Numbers of interned texts.
    Text,
    /// Numbers of pairs of values, see [`Pairs`](super::Pairs).
    Pair,
}

impl Kind {
    /// True if keys are numbers of something that is kept elsewhere, as long as events hold it.
    #[inline]
    pub fn is_interned(self) -> bool {
        matches!(self, Self::Text | Self::Pair)
    }

    /// The key that all values equal to that of `key` have: a zero with a sign becomes the other
    /// one.
    pub(super) fn comparable(self, key: i64) -> i64 {
        if self == Self::Float && key == float_key(-0.0) { float_key(0.0) } else { key }
    }

    /// The kind of a column, or none for a type that no aggregate takes the values of.
    pub fn of(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Float32 | DataType::Float64 => Some(Self::Float),
            DataType::UInt64 => Some(Self::Unsigned),
            DataType::Utf8 => Some(Self::Text),
            DataType::Boolean | DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _) => {
                Some(Self::Integer)
            }
            other if other.is_integer() => Some(Self::Integer),
            _ => None,
        }
    }

    /// The kinds of two columns that have been taken.
    pub(super) fn of_both(values: &DataType, beside: &DataType) -> [Self; 2] {
        [values, beside].map(|t| Self::of(t).expect("an aggregate takes the type"))
    }

    /// The value of a key as a number.
    #[inline]
    pub fn number(self, key: i64) -> f64 {
        match self {
            Self::Float => f64::from_bits(flip(key).cast_unsigned()),
            Self::Unsigned => (key ^ i64::MIN).cast_unsigned() as f64,
            Self::Integer | Self::Text | Self::Pair | Self::Nothing => key as f64,
        }
    }
}

impl Kind {
    /// The value of one key less that of another, integers without the loss that floats of their
    /// own would have.
    #[expect(clippy::cast_precision_loss, reason = "the difference is rounded once")]
    pub fn difference(self, key: i64, less: i64) -> f64 {
        match self {
            // Keys of numbers without a sign lie as far apart as the numbers do.
            Self::Integer | Self::Unsigned => (i128::from(key) - i128::from(less)) as f64,
            Self::Float | Self::Text | Self::Pair | Self::Nothing => {
                self.number(key) - self.number(less)
            }
        }
    }
}

/// The keys that values of a column of that type can have.
pub fn key_range(data_type: &DataType) -> RangeInclusive<i64> {
    match data_type {
        DataType::Int8 => i8::MIN.into()..=i8::MAX.into(),
        DataType::Int16 => i16::MIN.into()..=i16::MAX.into(),
        DataType::Int32 | DataType::Date32 => i32::MIN.into()..=i32::MAX.into(),
        DataType::UInt8 => 0..=u8::MAX.into(),
        DataType::UInt16 => 0..=u16::MAX.into(),
        DataType::UInt32 => 0..=u32::MAX.into(),
        _ => i64::MIN..=i64::MAX,
    }
}

/// Turns the bits of a negative float around, so that they order as integers; its own inverse.
#[inline]
const fn flip(bits: i64) -> i64 {
    bits ^ (((bits >> 63).cast_unsigned()) >> 1).cast_signed()
}

/// The ordering key of a float.
#[inline]
pub fn float_key(value: f64) -> i64 {
    let value = if value.is_nan() { f64::NAN.abs() } else { value };
    flip(value.to_bits().cast_signed())
}

/// Fills `keys` with the keys of `values`; what stands for a null is undefined. Columns of kind
/// [`Kind::Text`] have none.
pub fn read_keys(values: &dyn Array, keys: &mut Vec<i64>) {
    keys.clear();
    match values.data_type() {
        DataType::Float32 => extend::<Float32Type>(values, keys, |v| float_key(f64::from(v))),
        DataType::Float64 => extend::<Float64Type>(values, keys, float_key),
        DataType::Int8 => extend::<Int8Type>(values, keys, i64::from),
        DataType::Int16 => extend::<Int16Type>(values, keys, i64::from),
        DataType::Int32 => extend::<Int32Type>(values, keys, i64::from),
        DataType::Int64 => extend::<Int64Type>(values, keys, |v| v),
        DataType::UInt8 => extend::<UInt8Type>(values, keys, i64::from),
        DataType::UInt16 => extend::<UInt16Type>(values, keys, i64::from),
        DataType::UInt32 => extend::<UInt32Type>(values, keys, i64::from),
        DataType::UInt64 => extend::<UInt64Type>(values, keys, |v| v.cast_signed() ^ i64::MIN),
        DataType::Date32 => extend::<Date32Type>(values, keys, i64::from),
        DataType::Date64 => extend::<Date64Type>(values, keys, |v| v),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => extend::<TimestampSecondType>(values, keys, |v| v),
            TimeUnit::Millisecond => extend::<TimestampMillisecondType>(values, keys, |v| v),
            TimeUnit::Microsecond => extend::<TimestampMicrosecondType>(values, keys, |v| v),
            TimeUnit::Nanosecond => extend::<TimestampNanosecondType>(values, keys, |v| v),
        },
        DataType::Boolean => keys.extend(values.as_boolean().values().iter().map(i64::from)),
        other => unreachable!("build has refused values of type {other}"),
    }
}

fn extend<T: ArrowPrimitiveType>(
    values: &dyn Array,
    keys: &mut Vec<i64>,
    key: impl Fn(T::Native) -> i64,
) {
    keys.extend(values.as_primitive::<T>().values().iter().map(|v| key(*v)));
}

/// A column of `data_type` from keys that came from such a column.
pub fn write_keys(data_type: &DataType, keys: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    const FITS: &str = "the key came from a value of this type";
    match data_type {
        #[expect(clippy::cast_possible_truncation, reason = "the key came from a 32-bit float")]
        DataType::Float32 => {
            collect::<Float32Type>(data_type, keys, |k| Kind::Float.number(k) as f32)
        }
        DataType::Float64 => collect::<Float64Type>(data_type, keys, |k| Kind::Float.number(k)),
        DataType::Int8 => collect::<Int8Type>(data_type, keys, |k| k.try_into().expect(FITS)),
        DataType::Int16 => collect::<Int16Type>(data_type, keys, |k| k.try_into().expect(FITS)),
        DataType::Int32 => collect::<Int32Type>(data_type, keys, |k| k.try_into().expect(FITS)),
        DataType::Int64 => collect::<Int64Type>(data_type, keys, |k| k),
        DataType::UInt8 => collect::<UInt8Type>(data_type, keys, |k| k.try_into().expect(FITS)),
        DataType::UInt16 => collect::<UInt16Type>(data_type, keys, |k| k.try_into().expect(FITS)),
        DataType::UInt32 => collect::<UInt32Type>(data_type, keys, |k| k.try_into().expect(FITS)),
        DataType::UInt64 => {
            collect::<UInt64Type>(data_type, keys, |k| (k ^ i64::MIN).cast_unsigned())
        }
        DataType::Date32 => collect::<Date32Type>(data_type, keys, |k| k.try_into().expect(FITS)),
        DataType::Date64 => collect::<Date64Type>(data_type, keys, |k| k),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => collect::<TimestampSecondType>(data_type, keys, |k| k),
            TimeUnit::Millisecond => collect::<TimestampMillisecondType>(data_type, keys, |k| k),
            TimeUnit::Microsecond => collect::<TimestampMicrosecondType>(data_type, keys, |k| k),
            TimeUnit::Nanosecond => collect::<TimestampNanosecondType>(data_type, keys, |k| k),
        },
        DataType::Boolean => Arc::new(keys.map(|k| k.map(|k| k != 0)).collect::<BooleanArray>()),
        other => unreachable!("build has refused values of type {other}"),
    }
}

fn collect<T: ArrowPrimitiveType>(
    data_type: &DataType,
    keys: impl Iterator<Item = Option<i64>>,
    value: impl Fn(i64) -> T::Native,
) -> ArrayRef {
    let values: PrimitiveArray<T> = keys.map(|k| k.map(&value)).collect();
    Arc::new(values.with_data_type(data_type.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, Float32Array, TimestampMillisecondArray, UInt64Array};

    #[test]
    fn keys_order_as_values_do_with_nan_last() {
        let ordered =
            [f64::NEG_INFINITY, -1e300, -1.0, -0.0, 0.0, 1e-300, 1.0, f64::INFINITY, f64::NAN];
        let keys: Vec<i64> = ordered.iter().map(|v| float_key(*v)).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(float_key(-f64::NAN), float_key(f64::NAN));
        for (value, key) in ordered.iter().zip(&keys) {
            assert_eq!(Kind::Float.number(*key).to_bits(), value.abs().copysign(*value).to_bits());
        }
    }

    #[test]
    fn differences_of_great_integers_are_exact() {
        let bits = |kind: Kind, a: i64, b: i64| kind.difference(a, b).to_bits();
        assert_eq!(bits(Kind::Integer, (1 << 53) + 1, 1 << 53), 1_f64.to_bits());
        assert_eq!(bits(Kind::Integer, i64::MAX, i64::MIN), 2_f64.powi(64).to_bits());
        let mut unsigned = Vec::new();
        read_keys(&UInt64Array::from(vec![u64::MAX, u64::MAX - 1, 0]), &mut unsigned);
        assert_eq!(bits(Kind::Unsigned, unsigned[0], unsigned[1]), 1_f64.to_bits());
        assert_eq!(bits(Kind::Float, float_key(1.5), float_key(-2.0)), 3.5_f64.to_bits());
    }

    #[test]
    fn columns_survive_the_way_through_keys() {
        let columns: [ArrayRef; 5] = [
            Arc::new(Float32Array::from(vec![Some(1.5), None, Some(-0.1)])),
            Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(0), None])),
            Arc::new(Date32Array::from(vec![Some(-1), Some(20_000), None])),
            Arc::new(TimestampMillisecondArray::from(vec![Some(5), None]).with_timezone("UTC")),
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        ];
        for column in columns {
            let mut keys = Vec::new();
            read_keys(&column, &mut keys);
            let keys = keys.iter().enumerate().map(|(i, k)| column.is_valid(i).then_some(*k));
            assert_eq!(&write_keys(column.data_type(), keys), &column);
        }
    }
}
