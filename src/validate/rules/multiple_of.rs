//! `multipleOf`, judged on decimals: 0.3 is a multiple of 0.1, though no float is.

use super::{
    Build, Rule,
    number::{EXACT, Exact, text},
    verdicts::{Verdict, Verdicts},
};
use crate::registry::{Component, Node, schema_of};
use arrow::{
    array::{ArrayRef, AsArray},
    datatypes::{DataType, Float64Type, Int64Type},
};
use std::{fmt::Write, str};

pub(super) const COMPONENT: Component<Build> = Component {
    name: "multipleOf",
    summary: "A number is a multiple of a step.",
    example: "0.01",
    details: "As the complete validator decides it, in decimals: 0.3 is a multiple of 0.1. Of a \
              null nothing is asked.",
    state: "none",
    schema: schema_of::<f64>,
    build,
};

fn build(value: &Node, data_type: &DataType) -> Option<Box<dyn Rule>> {
    let is_integer = match data_type {
        DataType::Int64 => true,
        DataType::Float64 => false,
        _ => return None,
    };
    let step = match Exact::read(value)? {
        Exact::Integer(step) if step > 0 && (step as f64) < EXACT => Step::Whole(step),
        Exact::Fraction(step) if step > 0.0 => Step::Decimal(step, Decimal::of(step)?),
        _ => return None,
    };
    let expected = format!("a multiple of {}", text(value));
    Some(Box::new(MultipleOf { step, is_integer, expected }))
}

#[derive(Debug)]
struct MultipleOf {
    step: Step,
    is_integer: bool,
    expected: String,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Whole(i64),
    Decimal(f64, Decimal),
}

impl Rule for MultipleOf {
    fn judge(&self, values: &ArrayRef, verdicts: &mut Verdicts) {
        if self.is_integer {
            let numbers = values.as_primitive::<Int64Type>().values();
            verdicts.each(values, |i| match self.step {
                Step::Whole(step) => Verdict::pass_if(numbers[i] % step == 0),
                Step::Decimal(step, decimal) => fraction(numbers[i] as f64, step, decimal),
            });
        } else {
            let numbers = values.as_primitive::<Float64Type>().values();
            verdicts.each(values, |i| match self.step {
                Step::Whole(step) => whole(numbers[i], step),
                Step::Decimal(step, decimal) => fraction(numbers[i], step, decimal),
            });
        }
    }

    fn expected(&self) -> &str {
        &self.expected
    }
}

fn whole(number: f64, step: i64) -> Verdict {
    if number.abs() >= EXACT {
        return Verdict::Doubt;
    }
    Verdict::pass_if(number % step as f64 == 0.0)
}

fn fraction(number: f64, step: f64, decimal: Decimal) -> Verdict {
    if number.abs() >= EXACT {
        return Verdict::Doubt;
    }
    if number == 0.0 {
        return Verdict::Pass;
    }
    if number.abs() < step {
        return Verdict::Refuse;
    }
    match Decimal::of(number).and_then(|n| n.is_multiple_of(decimal)) {
        Some(passes) => Verdict::pass_if(passes),
        None => Verdict::Doubt,
    }
}

/// mantissa * 10^exponent: the shortest decimal that reads back as the float.
#[derive(Debug, Clone, Copy)]
struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    fn of(number: f64) -> Option<Self> {
        let mut digits = Digits::default();
        write!(digits, "{number:e}").ok()?;
        let (mantissa, exponent) = digits.text().split_once('e')?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = whole.bytes().chain(fraction.bytes()).filter(u8::is_ascii_digit);
        let mantissa = digits.fold(0, |m, digit| m * 10 + i128::from(digit - b'0'));
        let exponent = exponent.parse::<i32>().ok()? - i32::try_from(fraction.len()).ok()?;
        Some(Self { mantissa, exponent })
    }

    /// None where 128 bits do not hold both on one scale, with room to spare.
    fn is_multiple_of(self, step: Self) -> Option<bool> {
        let shared = self.exponent.min(step.exponent);
        let scale = |decimal: Self| {
            let places = u32::try_from(decimal.exponent - shared).ok()?;
            let scaled = decimal.mantissa.checked_mul(10_i128.checked_pow(places)?)?;
            (scaled < 10_i128.pow(36)).then_some(scaled)
        };
        Some(scale(self)? % scale(step)? == 0)
    }
}

/// A float's digits, without an allocation.
#[derive(Default)]
struct Digits {
    bytes: [u8; 32],
    len: usize,
}

impl Digits {
    fn text(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).expect("digits are ASCII")
    }
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}
