//! What is wrong with the text of an expression, and where in it.

use crate::registry::{Position, Problem, nearest};
use std::fmt;

/// A mistake in the text of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    /// What is wrong.
    pub message: String,
    /// Where in the expression's text, lines and columns from 1, if known.
    pub at: Option<Position>,
    /// What was expected instead.
    pub expected: Option<String>,
    /// The valid name nearest to the wrong one.
    pub nearest: Option<String>,
}

impl ExpressionError {
    /// An error at an unknown place of the text.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: None, expected: None, nearest: None }
    }

    /// Says what was expected.
    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Says where in the text, unless the place is unknown (line 0).
    pub(super) fn at(mut self, at: Position) -> Self {
        self.at = (at.line > 0).then_some(at);
        self
    }

    /// Names the valid name nearest to `got`, if one is near.
    pub(super) fn nearest_to<'n>(
        mut self,
        got: &str,
        valid: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        self.nearest = nearest(got, valid).map(str::to_owned);
        self
    }

    /// The problem at `at`, where the expression stands in its file.
    pub fn into_problem(self, at: Position) -> Problem {
        let what = self.what();
        Problem { file: None, at: Some(at), what, expected: self.expected, nearest: self.nearest }
    }

    fn what(&self) -> String {
        match self.at {
            None => self.message.clone(),
            Some(Position { line: 1, column }) => {
                format!("{}, at character {column} of the expression", self.message)
            }
            Some(Position { line, column }) => {
                format!("{}, at line {line}, character {column} of the expression", self.message)
            }
        }
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.clone().into_problem(Position::default()))
    }
}

impl std::error::Error for ExpressionError {}
