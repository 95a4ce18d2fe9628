//! Which expressions have a value for every row, whatever the row holds.

use arrow::datatypes::{DataType, Schema};
use datafusion_expr::Operator;
use datafusion_physical_expr::{
    PhysicalExpr,
    expressions::{
        BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal,
        NotExpr,
    },
};
use std::sync::Arc;

/// True if no row can make the expression fail. Conservative: what is not known to be total may
/// fail, which costs a nullable column and nothing else.
pub(super) fn cannot_fail(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    is_total(expr, schema) && expr.children().into_iter().all(|child| cannot_fail(child, schema))
}

fn is_total(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> bool {
    let is_float = |e: &Arc<dyn PhysicalExpr>| {
        matches!(e.data_type(schema), Ok(DataType::Float32 | DataType::Float64))
    };
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        return match binary.op() {
            Operator::And
            | Operator::Or
            | Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom => true,
            Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide => {
                is_float(expr)
            }
            _ => false,
        };
    }
    if let Some(cast) = expr.downcast_ref::<CastExpr>() {
        return matches!(
            (cast.expr().data_type(schema), cast.cast_type()),
            (
                Ok(DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64),
                DataType::Int64 | DataType::Float64
            )
        );
    }
    expr.is::<Column>()
        || expr.is::<Literal>()
        || expr.is::<CaseExpr>()
        || expr.is::<InListExpr>()
        || expr.is::<IsNullExpr>()
        || expr.is::<IsNotNullExpr>()
        || expr.is::<NotExpr>()
}
