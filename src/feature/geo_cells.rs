//! `geohash` and `h3`: the cell of the earth that a place lies in.

use super::{Build, Failed, Feature, Input, find_number, floats};
use crate::registry::{self, Component, Node, Problem};
use arrow::{
    array::{ArrayRef, RecordBatch, StringBuilder},
    datatypes::{DataType, Field, FieldRef},
};
use h3o::{LatLng, Resolution};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fmt::Write, sync::Arc};

pub(super) const GEOHASH: Component<Build> = Component {
    name: "geohash",
    summary: "Writes the geohash of a place, as text.",
    example: "{ lat: lat, lon: lon, precision: 6 }",
    details: "Niemeyer's geohash (2008): latitude and longitude halved in turn, five bits a character. A place on \
              the line between two halves lies in the upper one. Null where a coordinate is null, NaN or no \
              place on earth.",
    state: "none",
    schema: registry::schema_of::<GeohashOptions>,
    build: |node, input| {
        let GeohashOptions { lat, lon, precision, name } = registry::options(node)?;
        if !(1..=12).contains(&precision) {
            let what = format!("a precision of {precision}");
            return Err(Problem::new(node.at("precision"), what).expected("1 to 12 characters"));
        }
        build(node, input, (&lat, &lon), Grid::Geohash(precision), name)
    },
};

pub(super) const H3: Component<Build> = Component {
    name: "h3",
    summary: "Writes the H3 cell of a place, as text.",
    example: "{ lat: lat, lon: lon, resolution: 8 }",
    details: "The index of the hexagon, or pentagon, of Uber's H3 as 15 hexadecimal digits. Null where a coordinate \
              is null, NaN or no place on earth.",
    state: "none",
    schema: registry::schema_of::<H3Options>,
    build: |node, input| {
        let H3Options { lat, lon, resolution, name } = registry::options(node)?;
        let resolution = Resolution::try_from(resolution).map_err(|_| {
            Problem::new(node.at("resolution"), format!("a resolution of {resolution}"))
                .expected("0, cells of 1,100 km, to 15, cells of 0.6 m")
        })?;
        build(node, input, (&lat, &lon), Grid::H3(resolution), name)
    },
};

/// Options of `geohash`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GeohashOptions {
    /// A column of degrees north.
    lat: String,
    /// A column of degrees east.
    lon: String,
    /// Characters, 1 (5,000 km) to 12 (4 cm): 6 (1.2 km by 0.6 km) if not given.
    #[serde(default = "six")]
    precision: usize,
    /// Name of the output; `geohash` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// Options of `h3`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct H3Options {
    /// A column of degrees north.
    lat: String,
    /// A column of degrees east.
    lon: String,
    /// 0, cells of 1,100 km, to 15, cells of 0.6 m.
    resolution: u8,
    /// Name of the output; `h3` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

fn six() -> usize {
    6
}

/// Which cells.
#[derive(Debug, Clone, Copy)]
enum Grid {
    Geohash(usize),
    H3(Resolution),
}

fn build(
    node: &Node,
    input: &Input<'_>,
    (lat, lon): (&str, &str),
    grid: Grid,
    name: Option<String>,
) -> Result<Box<dyn Feature>, Problem> {
    let lat = find_number(lat, input.schema, node.at("lat"))?;
    let lon = find_number(lon, input.schema, node.at("lon"))?;
    let usual = if matches!(grid, Grid::Geohash(_)) { "geohash" } else { "h3" };
    let name = name.unwrap_or_else(|| usual.to_owned());
    // A place that is none on earth has no cell.
    let field = Arc::new(Field::new(name, DataType::Utf8, true));
    Ok(Box::new(Cells { lat, lon, grid, field }))
}

#[derive(Debug)]
struct Cells {
    lat: usize,
    lon: usize,
    grid: Grid,
    field: FieldRef,
}

impl Feature for Cells {
    fn fields(&self) -> Vec<FieldRef> {
        vec![Arc::clone(&self.field)]
    }

    fn advance(
        &self,
        rows: &RecordBatch,
        _event_times: &[i64],
        out: &mut Vec<ArrayRef>,
        _failed: &mut Vec<Failed>,
    ) {
        let mut cells = StringBuilder::with_capacity(rows.num_rows(), 15 * rows.num_rows());
        let (lat, lon) = (floats(rows, self.lat), floats(rows, self.lon));
        for place in lat.iter().zip(&lon) {
            let (Some(lat), Some(lon)) = place else {
                cells.append_null();
                continue;
            };
            let is_place = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
            match self.grid {
                _ if !is_place => cells.append_null(),
                Grid::Geohash(precision) => {
                    cells.append_value(geohash(lat, lon, precision).as_str());
                }
                Grid::H3(resolution) => {
                    let place = LatLng::new(lat, lon).expect("coordinates are finite");
                    write!(cells, "{}", place.to_cell(resolution)).expect("memory takes it");
                    cells.append_value("");
                }
            }
        }
        out.push(Arc::new(cells.finish()));
    }
}

/// A geohash, whose characters are few.
struct Geohash {
    characters: [u8; 12],
    length: usize,
}

impl Geohash {
    fn as_str(&self) -> &str {
        str::from_utf8(&self.characters[..self.length]).expect("digits and letters")
    }
}

fn geohash(lat: f64, lon: f64, length: usize) -> Geohash {
    const DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let mut characters = [0; 12];
    let (mut lats, mut lons) = ([-90.0, 90.0], [-180.0, 180.0]);
    let mut halves_lon = true;
    for character in &mut characters[..length] {
        let mut digit = 0;
        for _ in 0..5 {
            let (range, x) = if halves_lon { (&mut lons, lon) } else { (&mut lats, lat) };
            let middle = f64::midpoint(range[0], range[1]);
            let is_upper = x >= middle;
            range[usize::from(!is_upper)] = middle;
            digit = 2 * digit + usize::from(is_upper);
            halves_lon = !halves_lon;
        }
        *character = DIGITS[digit];
    }
    Geohash { characters, length }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of the articles on geohash, and the corners.
    #[test]
    fn geohashes_are_the_known_ones() {
        assert_eq!(geohash(57.64911, 10.40744, 11).as_str(), "u4pruydqqvj");
        assert_eq!(geohash(42.6, -5.6, 5).as_str(), "ezs42");
        assert_eq!(geohash(0.0, 0.0, 3).as_str(), "s00");
        assert_eq!(geohash(-90.0, -180.0, 4).as_str(), "0000");
        assert_eq!(geohash(90.0, 180.0, 12).as_str(), "zzzzzzzzzzzz");
    }
}
