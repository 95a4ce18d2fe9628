//! What is wrong in a file that a person wrote, where, and what to do.

use std::fmt;

/// A place in a file. Lines and columns count from 1; line 0 means the whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column in characters.
    pub column: usize,
}

/// A mistake in a pipeline, schema or settings file.
///
/// Displays as `file:line:column: what; expected ...; did you mean ...?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, once known.
    pub file: Option<String>,
    /// Where in it, once known.
    pub at: Option<Position>,
    /// What is wrong, naming the key, column or value.
    pub what: String,
    /// What was expected instead.
    pub expected: Option<String>,
    /// The valid name nearest to the wrong one.
    pub nearest: Option<String>,
}

impl Problem {
    /// A problem at a known place.
    pub fn new(at: Position, what: impl Into<String>) -> Self {
        Self { file: None, at: Some(at), what: what.into(), expected: None, nearest: None }
    }

    /// A problem whose place the caller adds with [`Problem::or_at`].
    pub fn nowhere(what: impl Into<String>) -> Self {
        Self { file: None, at: None, what: what.into(), expected: None, nearest: None }
    }

    /// Says what was expected.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Lists the valid names, and the one nearest to `got` if one is near.
    #[must_use]
    pub fn expected_one_of<S: AsRef<str>>(
        mut self,
        got: &str,
        valid: impl IntoIterator<Item = S>,
    ) -> Self {
        let valid: Vec<S> = valid.into_iter().collect();
        self.nearest = nearest(got, valid.iter().map(AsRef::as_ref)).map(str::to_owned);
        let names: Vec<String> = valid.iter().map(|v| format!("`{}`", v.as_ref())).collect();
        self.expected = Some(match names.len() {
            0 => "nothing here".to_owned(),
            1 => names.concat(),
            _ => format!("one of {}", names.join(", ")),
        });
        self
    }

    /// Adds the place if none is known yet.
    #[must_use]
    pub fn or_at(mut self, at: Position) -> Self {
        self.at.get_or_insert(at);
        self
    }

    /// Adds the file if none is known yet.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file.get_or_insert_with(|| file.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        }
        if let Some(at) = self.at.filter(|at| at.line > 0) {
            write!(f, "{}:{}:", at.line, at.column)?;
        }
        if self.file.is_some() || self.at.is_some_and(|at| at.line > 0) {
            f.write_str(" ")?;
        }
        f.write_str(&self.what)?;
        if let Some(expected) = &self.expected {
            write!(f, "; expected {expected}")?;
        }
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

impl serde::de::Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::nowhere(message.to_string())
    }

    fn invalid_type(
        unexpected: serde::de::Unexpected<'_>,
        expected: &dyn serde::de::Expected,
    ) -> Self {
        Self::nowhere(format!("wrong type: {unexpected}")).expected(expected.to_string())
    }

    fn invalid_value(
        unexpected: serde::de::Unexpected<'_>,
        expected: &dyn serde::de::Expected,
    ) -> Self {
        Self::nowhere(format!("wrong value: {unexpected}")).expected(expected.to_string())
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::nowhere(format!("unknown key `{field}`")).expected_one_of(field, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::nowhere(format!("unknown value `{variant}`")).expected_one_of(variant, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::nowhere(format!("missing key `{field}`"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::nowhere(format!("key `{field}` stands twice"))
    }
}

/// The candidate most like `got`, if any is like it at all: the better of Jaro-Winkler and
/// normalised Damerau-Levenshtein likeness, at least 0.6.
pub fn nearest<'c>(got: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let lower = got.to_lowercase();
    let likeness = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        let edits = strsim::normalized_damerau_levenshtein(&lower, &candidate);
        let prefix = strsim::jaro_winkler(&lower, &candidate);
        edits.max(if prefix > 0.8 { prefix } else { 0.0 })
    };
    candidates
        .into_iter()
        .map(|c| (likeness(c), c))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, c)| c)
}
