//! SQL text to a syntax tree whose columns and functions are known to exist.

use super::{
    error::ExpressionError,
    functions::{self, Function},
};
use crate::registry::Position;
use arrow::datatypes::Schema;
use datafusion_sql::sqlparser::{
    ast::{self, Expr, Ident, Spanned, Value, VisitMut, VisitorMut},
    dialect::GenericDialect,
    parser::{Parser, ParserError},
    tokenizer::{Location, Token},
};
use std::ops::ControlFlow;

/// Nesting beyond this depth is refused rather than risked on the stack.
const DEPTH_MAX: usize = 64;

/// Parses `sql` and resolves its names against `schema`.
pub(super) fn parse(sql: &str, schema: &Schema) -> Result<Expr, ExpressionError> {
    let mut expression = syntax(sql)?;
    match expression.visit(&mut Names { schema }) {
        ControlFlow::Continue(()) => Ok(expression),
        ControlFlow::Break(error) => Err(error),
    }
}

fn syntax(sql: &str) -> Result<Expr, ExpressionError> {
    if sql.trim().is_empty() {
        return Err(ExpressionError::new("the expression is empty").expected("SQL"));
    }
    let dialect = GenericDialect {};
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(DEPTH_MAX)
        .try_with_sql(sql)
        .map_err(|error| syntax_error(error, sql))?;
    let expression = parser.parse_expr().map_err(|error| syntax_error(error, sql))?;
    let next = parser.peek_token();
    if next.token == Token::EOF {
        return Ok(expression);
    }
    Err(ExpressionError::new(format!("syntax error: found `{}`", next.token))
        .expected("an operator or the end of the expression")
        .at(position(next.span.start)))
}

/// Takes the place and the expectation out of the parser's message.
fn syntax_error(error: ParserError, sql: &str) -> ExpressionError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => {
            return ExpressionError::new(format!("nested deeper than {DEPTH_MAX} levels"));
        }
    };
    let (text, at) = match text.split_once(" at Line: ") {
        Some((text, place)) => (text, place_in(place)),
        None => (text.as_str(), None),
    };
    let error = match text.strip_prefix("Expected: ").and_then(|t| t.split_once(", found: ")) {
        Some((expected, "EOF")) => {
            ExpressionError::new("syntax error: the expression ends here").expected(expected)
        }
        Some((expected, found)) => {
            ExpressionError::new(format!("syntax error: found `{found}`")).expected(expected)
        }
        None => ExpressionError::new(format!("syntax error: {text}")),
    };
    error.at(at.unwrap_or_else(|| end_of(sql)))
}

/// `3, Column: 7`
fn place_in(text: &str) -> Option<Position> {
    let (line, column) = text.split_once(", Column: ")?;
    Some(Position { line: line.parse().ok()?, column: column.trim().parse().ok()? })
}

fn end_of(sql: &str) -> Position {
    let last = sql.lines().last().unwrap_or_default();
    Position { line: sql.lines().count().max(1), column: last.chars().count() + 1 }
}

fn position(location: Location) -> Position {
    let count = |n: u64| usize::try_from(n).unwrap_or(0);
    Position { line: count(location.line), column: count(location.column) }
}

/// Resolves columns and refuses what one record cannot answer.
struct Names<'s> {
    schema: &'s Schema,
}

impl VisitorMut for Names<'_> {
    type Break = ExpressionError;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<ExpressionError> {
        let checked = match expr {
            Expr::Identifier(name) => {
                let name = name.clone();
                self.column(&name.value, name.span.start).map(|column| *expr = column)
            }
            Expr::CompoundIdentifier(parts) => {
                let name = parts.iter().map(|p| p.value.as_str()).collect::<Vec<_>>().join(".");
                let start = parts.first().map_or_else(Location::empty, |p| p.span.start);
                self.column(&name, start).map(|column| *expr = column)
            }
            Expr::Function(function) => check_function(function),
            other => check_kind(other),
        };
        match checked {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Names<'_> {
    /// The column as a quoted identifier, so that the planner takes its dots literally.
    fn column(&self, name: &str, start: Location) -> Result<Expr, ExpressionError> {
        if self.schema.index_of(name).is_ok() {
            return Ok(Expr::Identifier(Ident::with_quote('"', name)));
        }
        let names = || self.schema.fields().iter().map(|f| f.name().as_str());
        let quoted: Vec<_> = names().map(|n| format!("`{n}`")).collect();
        Err(ExpressionError::new(format!("unknown column `{name}`"))
            .expected(format!("one of {}", quoted.join(", ")))
            .nearest_to(name, names())
            .at(position(start)))
    }
}

fn check_function(function: &ast::Function) -> Result<(), ExpressionError> {
    let name = function.name.to_string().to_lowercase();
    let at = position(function.name.span().start);
    if function.over.is_some() {
        return Err(several_records(&name).at(at));
    }
    match functions::look_up(&name) {
        Function::Known => Ok(()),
        Function::OverSeveralRecords => Err(several_records(&name).at(at)),
        Function::Unsteady => Err(ExpressionError::new(format!(
            "function `{name}` gives another value at every call"
        ))
        .expected("a function of the record alone; for the time use an event-time column")
        .at(at)),
        Function::Unknown => Err(ExpressionError::new(format!("unknown function `{name}`"))
            .expected("a function that `millstream components` lists")
            .nearest_to(&name, functions::names())
            .at(at)),
    }
}

fn several_records(name: &str) -> ExpressionError {
    ExpressionError::new(format!("aggregate or window function `{name}` in an expression"))
        .expected("a function of one record; declare the aggregate under `windows`")
}

fn check_kind(expr: &Expr) -> Result<(), ExpressionError> {
    let what = match expr {
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => "a subquery",
        Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => "a placeholder",
        Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => "a wildcard",
        Expr::Lambda(_) => "a lambda",
        Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => "a grouping",
        _ => return Ok(()),
    };
    Err(ExpressionError::new(format!("{what} in an expression"))
        .expected("columns of the record, literals, operators and functions")
        .at(position(expr.span().start)))
}
