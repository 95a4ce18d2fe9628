//! Units by name, each by its definition (BIPM, SI brochure, 9th edition; NIST SP 811).

use crate::registry::{Position, Problem};

/// A unit: `(x - zero) num / den` is the value in the unit that all of the quantity are defined by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Unit {
    name: &'static str,
    quantity: &'static str,
    pub(super) zero: f64,
    pub(super) num: f64,
    pub(super) den: f64,
}

const fn unit(quantity: &'static str, name: &'static str, num: f64, den: f64) -> Unit {
    Unit { name, quantity, zero: 0.0, num, den }
}

const fn degree(name: &'static str, zero: f64, num: f64, den: f64) -> Unit {
    Unit { name, quantity: "temperature", zero, num, den }
}

const LENGTH: &str = "length";
const AREA: &str = "area";
const VOLUME: &str = "volume";
const MASS: &str = "mass";
const TIME: &str = "time";
const SPEED: &str = "speed";
const PRESSURE: &str = "pressure";
const ENERGY: &str = "energy";
const POWER: &str = "power";
const ANGLE: &str = "angle";
const DATA: &str = "data";

/// Those of one quantity follow each other.
const UNITS: &[Unit] = &[
    degree("C", 0.0, 1.0, 1.0),
    degree("K", 273.15, 1.0, 1.0),
    degree("F", 32.0, 5.0, 9.0),
    degree("R", 491.67, 5.0, 9.0),
    unit(LENGTH, "m", 1.0, 1.0),
    unit(LENGTH, "km", 1_000.0, 1.0),
    unit(LENGTH, "cm", 1.0, 100.0),
    unit(LENGTH, "mm", 1.0, 1_000.0),
    unit(LENGTH, "um", 1.0, 1e6),
    unit(LENGTH, "in", 254.0, 10_000.0),
    unit(LENGTH, "ft", 3_048.0, 10_000.0),
    unit(LENGTH, "yd", 9_144.0, 10_000.0),
    unit(LENGTH, "mi", 1_609_344.0, 1_000.0),
    unit(LENGTH, "nmi", 1_852.0, 1.0),
    unit(AREA, "m2", 1.0, 1.0),
    unit(AREA, "km2", 1e6, 1.0),
    unit(AREA, "cm2", 1.0, 1e4),
    unit(AREA, "ha", 1e4, 1.0),
    unit(AREA, "ft2", 9_290_304.0, 1e8),
    unit(AREA, "acre", 40_468_564_224.0, 1e7),
    unit(VOLUME, "m3", 1.0, 1.0),
    unit(VOLUME, "l", 1.0, 1_000.0),
    unit(VOLUME, "ml", 1.0, 1e6),
    unit(VOLUME, "ft3", 28_316_846_592.0, 1e12),
    unit(VOLUME, "gal_us", 3_785_411_784.0, 1e12),
    unit(VOLUME, "gal_uk", 454_609.0, 1e8),
    unit(MASS, "kg", 1.0, 1.0),
    unit(MASS, "g", 1.0, 1_000.0),
    unit(MASS, "mg", 1.0, 1e6),
    unit(MASS, "t", 1_000.0, 1.0),
    unit(MASS, "lb", 45_359_237.0, 1e8),
    unit(MASS, "oz", 45_359_237.0, 16e8),
    unit(TIME, "s", 1.0, 1.0),
    unit(TIME, "ms", 1.0, 1_000.0),
    unit(TIME, "us", 1.0, 1e6),
    unit(TIME, "ns", 1.0, 1e9),
    unit(TIME, "min", 60.0, 1.0),
    unit(TIME, "h", 3_600.0, 1.0),
    unit(TIME, "d", 86_400.0, 1.0),
    unit(TIME, "w", 604_800.0, 1.0),
    unit(SPEED, "m/s", 1.0, 1.0),
    unit(SPEED, "km/h", 1_000.0, 3_600.0),
    unit(SPEED, "mph", 1_609_344.0, 3_600_000.0),
    unit(SPEED, "kn", 1_852.0, 3_600.0),
    unit(SPEED, "ft/s", 3_048.0, 10_000.0),
    unit(PRESSURE, "Pa", 1.0, 1.0),
    unit(PRESSURE, "hPa", 100.0, 1.0),
    unit(PRESSURE, "kPa", 1_000.0, 1.0),
    unit(PRESSURE, "mbar", 100.0, 1.0),
    unit(PRESSURE, "bar", 1e5, 1.0),
    unit(PRESSURE, "atm", 101_325.0, 1.0),
    unit(PRESSURE, "torr", 101_325.0, 760.0),
    unit(PRESSURE, "psi", 44_482_216_152_605.0, 6_451_600_000.0),
    unit(ENERGY, "J", 1.0, 1.0),
    unit(ENERGY, "kJ", 1_000.0, 1.0),
    unit(ENERGY, "Wh", 3_600.0, 1.0),
    unit(ENERGY, "kWh", 3_600_000.0, 1.0),
    unit(ENERGY, "cal", 4_184.0, 1_000.0),
    unit(ENERGY, "kcal", 4_184.0, 1.0),
    unit(POWER, "W", 1.0, 1.0),
    unit(POWER, "kW", 1_000.0, 1.0),
    unit(POWER, "MW", 1e6, 1.0),
    unit(ANGLE, "rad", 1.0, 1.0),
    unit(ANGLE, "deg", std::f64::consts::PI, 180.0),
    unit(DATA, "B", 1.0, 1.0),
    unit(DATA, "bit", 1.0, 8.0),
    unit(DATA, "KB", 1e3, 1.0),
    unit(DATA, "MB", 1e6, 1.0),
    unit(DATA, "GB", 1e9, 1.0),
    unit(DATA, "KiB", 1_024.0, 1.0),
    unit(DATA, "MiB", 1_048_576.0, 1.0),
    unit(DATA, "GiB", 1_073_741_824.0, 1.0),
];

/// The unit of that name, or a problem at `at` that lists all.
pub(super) fn find(name: &str, at: Position) -> Result<Unit, Problem> {
    UNITS.iter().find(|unit| unit.name == name).copied().ok_or_else(|| {
        Problem::new(at, format!("unknown unit `{name}`"))
            .expected_one_of(name, UNITS.iter().map(|unit| unit.name))
    })
}

/// The unit of that name, which has to measure what `other` does.
pub(super) fn find_like(name: &str, other: Unit, at: Position) -> Result<Unit, Problem> {
    let unit = find(name, at)?;
    if unit.quantity == other.quantity {
        return Ok(unit);
    }
    let what = format!("unit `{name}` measures {}, not {}", unit.quantity, other.quantity);
    let like = UNITS.iter().filter(|unit| unit.quantity == other.quantity);
    let names: Vec<String> = like.map(|unit| format!("`{}`", unit.name)).collect();
    Err(Problem::new(at, what).expected(format!("one of {}", names.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_quantities_stand_together() {
        let names: BTreeSet<_> = UNITS.iter().map(|unit| unit.name).collect();
        assert_eq!(names.len(), UNITS.len());
        let runs: Vec<_> = UNITS.chunk_by(|a, b| a.quantity == b.quantity).collect();
        let quantities: BTreeSet<_> = UNITS.iter().map(|unit| unit.quantity).collect();
        assert_eq!(runs.len(), quantities.len());
        assert!(UNITS.iter().all(|unit| unit.num > 0.0 && unit.den > 0.0));
    }
}
