//! `haversine`: the distance between two places on earth.

use super::{Build, Failed, Feature, Input, find_number, floats, remembered::told};
use crate::{
    aggregate::{Previous, Request, great_circle_km},
    registry::{self, Component, Node, Problem, Span},
};
use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch},
    datatypes::{DataType, Field, FieldRef},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "haversine",
    summary: "Writes the great-circle distance between a place and another one, in kilometres.",
    example: "{ lat: lat, lon: lon, to: [47.3769, 8.5417] }",
    details: "`2 R asin sqrt(sin^2(dlat / 2) + cos lat1 cos lat2 sin^2(dlon / 2))` with R = \
              6371.0088 km (Sinnott 1984). Null where a coordinate is, NaN where one is NaN. With `to: previous`, to the place of the key's newest record so far: null for the first, and for a record that is behind the newest.",
    state: "none; 32 bytes a key with `to: previous`",
    schema: registry::schema_of::<Options>,
    build,
};

/// Name of the output unless one is given.
const NAME: &str = "distance_km";

/// Options of `haversine`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// A column of degrees north.
    lat: String,
    /// A column of degrees east.
    lon: String,
    /// The other place, latitude and longitude: two numbers, or two columns, such as those that
    /// windows with `lag` or `first` compute; or `previous`, the place of the key's record before.
    to: To,
    /// With `previous`: after which time without a place a key is begun anew, such as 30d. Never if
    /// not given.
    forget_after: Option<Span>,
    /// Name of the output; `distance_km` if not given.
    #[serde(rename = "as")]
    name: Option<String>,
}

/// Where to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "wrong value; expected latitude and longitude, each a number of degrees or a column, or `previous`"
)]
enum To {
    Place([Coordinate; 2]),
    Previous(PreviousWord),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PreviousWord {
    Previous,
}

/// A number of degrees or a column of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "wrong type; expected a number of degrees or a column")]
enum Coordinate {
    Degrees(f64),
    Column(String),
}

/// What it has to be told.
pub(super) fn ask(node: &Node) -> Result<Option<Request>, Problem> {
    let options: Options = registry::options(node)?;
    match options.to {
        To::Place(_) => Ok(None),
        To::Previous(_) => options.request(node).map(Some),
    }
}

impl Options {
    fn request(&self, node: &Node) -> Result<Request, Problem> {
        Previous::Distance.request(&[&self.lat, &self.lon], self.forget_after, node)
    }
}

fn build(node: &Node, input: &Input<'_>) -> Result<Box<dyn Feature>, Problem> {
    let options: Options = registry::options(node)?;
    if let To::Previous(_) = options.to {
        find_number(&options.lat, input.schema, node.at("lat"))?;
        find_number(&options.lon, input.schema, node.at("lon"))?;
        let request = options.request(node)?;
        return told(node, input, &request, options.name.unwrap_or_else(|| NAME.to_owned()));
    }
    if options.forget_after.is_some() {
        return Err(Problem::new(node.at("forget_after"), "`forget_after` of a given place")
            .expected("`forget_after` with `to: previous`"));
    }
    given(node, input, options)
}

fn given(node: &Node, input: &Input<'_>, options: Options) -> Result<Box<dyn Feature>, Problem> {
    let Options { lat, lon, to: To::Place([to_lat, to_lon]), name, .. } = options else {
        unreachable!("a given place");
    };
    let from = [("lat", lat), ("lon", lon)]
        .map(|(key, column)| find_number(&column, input.schema, node.at(key)).map(Angle::Column));
    let places = node.get("to").and_then(Node::as_list).unwrap_or_default();
    let to = |coordinate, limit: f64, place: usize| {
        let at = places.get(place).map_or(node.at("to"), |node| node.at);
        match coordinate {
            Coordinate::Column(column) => find_number(&column, input.schema, at).map(Angle::Column),
            Coordinate::Degrees(degrees) if (-limit..=limit).contains(&degrees) => {
                Ok(Angle::Degrees(degrees))
            }
            Coordinate::Degrees(degrees) => Err(Problem::new(at, format!("{degrees} degrees"))
                .expected(format!("degrees from -{limit} to {limit}"))),
        }
    };
    let [from_lat, from_lon] = from;
    let angles = [from_lat?, from_lon?, to(to_lat, 90.0, 0)?, to(to_lon, 180.0, 1)?];
    let is_nullable = |angle: &Angle| match angle {
        Angle::Column(index) => input.schema.field(*index).is_nullable(),
        Angle::Degrees(_) => false,
    };
    let nullable = angles.iter().any(is_nullable);
    let name = name.unwrap_or_else(|| NAME.to_owned());
    let field = Arc::new(Field::new(name, DataType::Float64, nullable));
    Ok(Box::new(Haversine { angles, field }))
}

#[derive(Debug, Clone, Copy)]
enum Angle {
    Degrees(f64),
    Column(usize),
}

impl Angle {
    fn read(self, rows: &RecordBatch) -> Float64Array {
        match self {
            Self::Degrees(degrees) => Float64Array::from_value(degrees, rows.num_rows()),
            Self::Column(index) => floats(rows, index),
        }
    }
}

/// Latitude and longitude of both places; null where any of them is.
#[derive(Debug)]
struct Haversine {
    angles: [Angle; 4],
    field: FieldRef,
}

impl Feature for Haversine {
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
        let [lat, lon, to_lat, to_lon] = self.angles.map(|angle| angle.read(rows));
        let from = lat.iter().zip(&lon);
        let to = to_lat.iter().zip(&to_lon);
        let distance = |((lat, lon), (to_lat, to_lon))| {
            Some(great_circle_km([lat?, lon?], [to_lat?, to_lon?]))
        };
        out.push(Arc::new(from.zip(to).map(distance).collect::<Float64Array>()));
    }
}
