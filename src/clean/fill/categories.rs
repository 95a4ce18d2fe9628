//! A constant for each value of another column.

use crate::{
    batch::Rows,
    clean::{column, constant::Constant},
    registry::{Node, Problem},
};
use arrow::{
    array::{Array, ArrayRef, AsArray, UInt32Array},
    compute::{concat, is_not_null, kernels::zip::zip, take},
    datatypes::{Field, Schema},
};
use std::collections::BTreeMap;

/// Constants by the text of a column.
#[derive(Debug)]
pub(super) struct Categories {
    by: usize,
    /// Where the constant of each text lies.
    places: BTreeMap<String, u32>,
    constants: ArrayRef,
}

impl Categories {
    /// Reads `by` and `values` of the options, for the column `field`.
    pub(super) fn build(
        by: &str,
        values: &BTreeMap<String, Constant>,
        (schema, field): (&Schema, &Field),
        node: &Node,
    ) -> Result<Self, Problem> {
        let index = column::named(schema, by, node.at("by"))?;
        column::text(schema.field(index), node.at("by"))?;
        let mut places = BTreeMap::new();
        let mut constants = Vec::new();
        for (place, (text, constant)) in (0..).zip(values) {
            let at = node.get("values").map_or(node.at, |values| values.at(text));
            constants.push(constant.for_column(field, at)?);
            places.insert(text.clone(), place);
        }
        let constants: Vec<&dyn Array> = constants.iter().map(AsRef::as_ref).collect();
        let constants = concat(&constants)
            .map_err(|_| Problem::new(node.at("values"), "no values").expected("at least one"))?;
        Ok(Self { by: index, places, constants })
    }

    /// The column with each null replaced by the constant of its row, if it has one.
    pub(super) fn advance(&self, column: &ArrayRef, rows: &Rows) -> ArrayRef {
        let texts = rows.columns.column(self.by).as_string::<i32>();
        let places = texts.iter().map(|text| self.places.get(text?).copied());
        let places: UInt32Array = places.collect();
        let fills = take(&self.constants, &places, None).expect("places of constants");
        let present = is_not_null(column).expect("any array can be asked");
        zip(&present, column, &fills).expect("both have the column's type")
    }
}
