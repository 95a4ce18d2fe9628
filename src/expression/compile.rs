//! Syntax tree to physical expression: plan, coerce, give it one of the engine's types, simplify.

use super::{Expression, cannot_fail::cannot_fail, error::ExpressionError, functions, parse};
use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use datafusion_common::{
    DFSchema, DataFusionError, Result as PlanResult, ScalarValue, ToDFSchema,
    tree_node::{Transformed, TreeNode, TreeNodeRecursion},
};
use datafusion_expr::{
    Expr, ExprSchemable, Operator, cast, execution_props::ExecutionProps,
    physical_planning_context::PhysicalPlanningContext, simplify::SimplifyContext,
};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::{
    PhysicalExpr, create_physical_expr,
    expressions::{BinaryExpr, Column},
    utils::collect_columns,
};
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use std::sync::Arc;

pub(super) fn compile(sql: &str, schema: &SchemaRef) -> Result<Expression, ExpressionError> {
    let syntax = parse::parse(sql, schema)?;
    let named = Schema::clone(schema).to_dfschema_ref().map_err(|e| plan_error(&e))?;
    let options = ParserOptions::new()
        .with_enable_ident_normalization(false)
        .with_map_string_types_to_utf8view(false);
    let planned = SqlToRel::new_with_options(&functions::OneRecord, options)
        .sql_to_expr(syntax, &named, &mut PlannerContext::new())
        .map_err(|e| plan_error(&e))?;
    let context = SimplifyContext::builder().with_schema(Arc::clone(&named)).build();
    let simplifier = ExprSimplifier::new(context);
    let coerced = simplifier.coerce(planned, &named).map_err(|e| plan_error(&e))?;
    check_patterns(&coerced)?;
    check_growth(&coerced)?;
    let typed = to_engine_type(coerced, &named)?;
    // Simplifying is not only for speed: `coalesce` evaluates only once it has become a CASE.
    let simple = simplifier.simplify(typed).map_err(|e| plan_error(&e))?;
    let properties = ExecutionProps::new();
    let planning = PhysicalPlanningContext::default();
    let physical = create_physical_expr(&simple, &named, &properties, &planning)
        .and_then(checked_integers)
        .map_err(|e| plan_error(&e))?;
    let expression = finish(physical, schema).map_err(|e| plan_error(&e))?;
    check_constant(&expression)?;
    Ok(expression)
}

/// Refuses a regular expression that no record could be matched against.
fn check_patterns(expr: &Expr) -> Result<(), ExpressionError> {
    let mut wrong = None;
    let visited = expr.apply(|node| {
        let pattern = match node {
            Expr::ScalarFunction(call) if call.name().starts_with("regexp_") => call.args.get(1),
            Expr::BinaryExpr(binary) if is_match(binary.op) => Some(&*binary.right),
            _ => None,
        };
        if let Some(Expr::Literal(pattern, _)) = pattern
            && let Some(Some(text)) = pattern.try_as_str()
            && regex::Regex::new(text).is_err()
        {
            wrong = Some(text.to_owned());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    visited.map_err(|e| plan_error(&e))?;
    match wrong {
        None => Ok(()),
        Some(text) => Err(ExpressionError::new(format!("`{text}` is no regular expression"))
            .expected("the syntax of Rust's regex crate")),
    }
}

/// The most characters that `lpad`, `rpad` and `repeat` may be told to write or to write again.
const LENGTH_MAX: i64 = 65_536;

/// Functions whose result is as long as an argument says, or as often as another text holds what
/// is replaced: written out, these arguments are the pipeline's. Taken from a record, they would
/// let one record ask for more memory than there is, and that ends the process.
fn check_growth(expr: &Expr) -> Result<(), ExpressionError> {
    let mut wrong = None;
    let visited = expr.apply(|node| {
        let Expr::ScalarFunction(call) = node else { return Ok(TreeNodeRecursion::Continue) };
        let literal = |index: usize| match call.args.get(index) {
            Some(Expr::Literal(value, _)) => Some(value),
            _ => None,
        };
        let refused = match call.name() {
            "lpad" | "rpad" | "repeat" => {
                let fits = |value: &ScalarValue| {
                    matches!(value, ScalarValue::Int64(Some(n)) if *n <= LENGTH_MAX)
                };
                (!literal(1).is_some_and(fits))
                    .then(|| format!("a number up to {LENGTH_MAX} as its second argument"))
            }
            "replace" | "regexp_replace" => {
                literal(2).is_none().then(|| "a text in quotes as its third argument".to_owned())
            }
            _ => None,
        };
        wrong = wrong.take().or_else(|| refused.map(|e| (call.name().to_owned(), e)));
        Ok(TreeNodeRecursion::Continue)
    });
    visited.map_err(|e| plan_error(&e))?;
    match wrong {
        None => Ok(()),
        Some((name, expected)) => {
            Err(ExpressionError::new(format!("what `{name}` gives may be longer than memory"))
                .expected(expected))
        }
    }
}

fn is_match(op: Operator) -> bool {
    matches!(
        op,
        Operator::RegexMatch
            | Operator::RegexIMatch
            | Operator::RegexNotMatch
            | Operator::RegexNotIMatch
    )
}

/// Refuses an expression that reads no column and fails: it would reject every record.
fn check_constant(expression: &Expression) -> Result<(), ExpressionError> {
    if !expression.columns().is_empty() {
        return Ok(());
    }
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let schema = Arc::clone(&expression.projected);
    let row = RecordBatch::try_new_with_options(schema, Vec::new(), &options)
        .expect("a row without columns");
    match expression.evaluate(&row).failed.first() {
        None => Ok(()),
        Some((_, reason)) => Err(ExpressionError::new(format!("fails on every record: {reason}"))
            .expected("an expression that has a value")),
    }
}

/// Narrows the expression to the columns it reads, so that evaluating never touches the others.
fn finish(physical: Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> PlanResult<Expression> {
    let mut columns: Vec<usize> = collect_columns(&physical).iter().map(Column::index).collect();
    columns.sort_unstable();
    columns.dedup();
    let projected = Arc::new(schema.project(&columns)?);
    let physical = physical
        .transform_up(|node| {
            let Some(column) = node.downcast_ref::<Column>() else {
                return Ok(Transformed::no(node));
            };
            let index = columns.binary_search(&column.index()).expect("collected above");
            Ok(Transformed::yes(Arc::new(Column::new(column.name(), index))))
        })?
        .data;
    let data_type = physical.data_type(&projected)?;
    let nullable = physical.nullable(&projected)? || !cannot_fail(&physical, &projected);
    Ok(Expression { physical, columns, projected, data_type, nullable })
}

/// Makes integer overflow an error; DataFusion would wrap around.
fn checked_integers(physical: Arc<dyn PhysicalExpr>) -> PlanResult<Arc<dyn PhysicalExpr>> {
    let checked = physical.transform_up(|node| {
        let arithmetic = node.downcast_ref::<BinaryExpr>().filter(|binary| {
            matches!(binary.op(), Operator::Plus | Operator::Minus | Operator::Multiply)
        });
        Ok(match arithmetic {
            Some(binary) => {
                Transformed::yes(Arc::new(binary.clone().with_fail_on_overflow(true)) as _)
            }
            None => Transformed::no(node),
        })
    })?;
    Ok(checked.data)
}

fn to_engine_type(expr: Expr, schema: &DFSchema) -> Result<Expr, ExpressionError> {
    let from = expr.get_type(schema).map_err(|e| plan_error(&e))?;
    let to = engine_type(&from)?;
    Ok(if from == to { expr } else { cast(expr, to) })
}

/// The type of the engine that holds all values of `from`.
fn engine_type(from: &DataType) -> Result<DataType, ExpressionError> {
    Ok(match from {
        DataType::Boolean | DataType::Float64 | DataType::Int64 | DataType::Utf8 => from.clone(),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => DataType::Int64,
        DataType::Float16
        | DataType::Float32
        | DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => DataType::Float64,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Date32 | DataType::Date64 => DataType::Date32,
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            let item = Field::new(item.name(), engine_type(item.data_type())?, true);
            DataType::List(Arc::new(item))
        }
        DataType::Map(entries, false) if has_engine_types(entries) => from.clone(),
        DataType::Null => {
            return Err(ExpressionError::new("the expression is always null")
                .expected("a value, or a cast that gives it a type"));
        }
        other => {
            return Err(ExpressionError::new(format!("the expression is of type {other}"))
                .expected("a number, text, boolean, date, timestamp or list: cast it"));
        }
    })
}

/// True if keys and values of a map's entries are of types of the engine.
fn has_engine_types(entries: &Field) -> bool {
    let is_own = |data_type: &DataType| engine_type(data_type).is_ok_and(|own| own == *data_type);
    match entries.data_type() {
        DataType::Struct(members) => members.iter().all(|member| is_own(member.data_type())),
        _ => false,
    }
}

/// What DataFusion puts before the errors that it wraps into each other.
const PREFIXES: [&str; 5] = [
    "Error during planning: ",
    "This feature is not implemented: ",
    "Execution error: ",
    "Arrow error: ",
    "Cast error: ",
];

/// Takes DataFusion's wrapping off a planning error.
fn plan_error(error: &DataFusionError) -> ExpressionError {
    let text = error.find_root().strip_backtrace();
    let text = PREFIXES.iter().fold(text, |text, prefix| text.replace(prefix, ""));
    let text = text.as_str();
    let (text, candidates) = match text.split_once("Candidate functions:") {
        Some((text, candidates)) => (text, Some(candidates)),
        None => (text, None),
    };
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = one_line(&text.replace(" You might need to add explicit type casts.", ""));
    let expected = match candidates {
        Some(candidates) => one_line(candidates),
        None if text.starts_with("Unsupported SQL type") => {
            "bigint, double, text, boolean, date or timestamp".to_owned()
        }
        None => "types that go together: cast a column as in `cast(x as double)`".to_owned(),
    };
    ExpressionError::new(text.trim_end_matches('.')).expected(expected)
}
