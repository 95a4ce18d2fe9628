//! `pattern`, where an ECMA-262 expression means the same to the `regex` crate.

use super::{
    Build, Rule,
    verdicts::{Verdict, Verdicts},
};
use crate::registry::{Component, Node, schema_of};
use arrow::{
    array::{ArrayRef, AsArray},
    datatypes::DataType,
};
use regex::Regex;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "pattern",
    summary: "A text matches a regular expression.",
    example: "'^[A-Z]{3}$'",
    details: "Anywhere in the text unless `^` and `$` say otherwise. Of a null nothing is asked.",
    state: "none",
    schema: schema_of::<String>,
    build,
};

fn build(value: &Node, data_type: &DataType) -> Option<Box<dyn Rule>> {
    let pattern = value.as_str().filter(|_| data_type == &DataType::Utf8)?;
    let regex = Regex::new(&translate(pattern)?).ok()?;
    Some(Box::new(Pattern { regex, expected: format!("a match of `{pattern}`") }))
}

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    expected: String,
}

impl Rule for Pattern {
    fn judge(&self, values: &ArrayRef, verdicts: &mut Verdicts) {
        let texts = values.as_string::<i32>();
        verdicts.each(values, |i| Verdict::pass_if(self.regex.is_match(texts.value(i))));
    }

    fn expected(&self) -> &str {
        &self.expected
    }
}

/// The expression for the `regex` crate; none for whatever might mean another thing there. Only
/// what is surely the same passes: ASCII literals, anchors, plain classes, groups, alternatives,
/// quantifiers, and `\d \D \w \W`, which are ASCII in ECMA-262.
fn translate(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push_str(&escape(chars.next()?)?),
            '[' => class(&mut chars, &mut out)?,
            '(' => {
                out.push('(');
                if chars.next_if_eq(&'?').is_some() {
                    chars.next_if_eq(&':')?;
                    out.push_str("?:");
                }
            }
            '{' => quantifier(&mut chars, &mut out)?,
            ']' | '}' => return None,
            ' '..='~' => out.push(c),
            _ => return None,
        }
    }
    Some(out)
}

type Chars<'p> = std::iter::Peekable<std::str::Chars<'p>>;

fn escape(c: char) -> Option<String> {
    Some(match c {
        'd' => "[0-9]".to_owned(),
        'D' => "[^0-9]".to_owned(),
        'w' => "[A-Za-z0-9_]".to_owned(),
        'W' => "[^A-Za-z0-9_]".to_owned(),
        't' | 'n' | 'r' => format!("\\{c}"),
        _ if c.is_ascii_punctuation() => regex::escape(c.encode_utf8(&mut [0; 4])),
        _ => return None,
    })
}

/// `[a-z_]`: characters and ranges, nothing that only one of the two languages knows.
fn class(chars: &mut Chars<'_>, out: &mut String) -> Option<()> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let empty = out.len();
    loop {
        let may_begin_range = match chars.next()? {
            ']' if out.len() > empty => {
                out.push(']');
                return Some(());
            }
            '\\' => {
                out.push_str(&class_escape(chars.next()?)?);
                false
            }
            c if c.is_ascii_alphanumeric() => {
                out.push(c);
                true
            }
            c if "_. /:,;@#+*=%!?()$'\"<>".contains(c) => {
                out.push(c);
                false
            }
            _ => return None,
        };
        if chars.next_if_eq(&'-').is_some() {
            match chars.next()? {
                // A hyphen before the end is itself.
                ']' => {
                    out.push_str("\\-]");
                    return Some(());
                }
                end if may_begin_range && end.is_ascii_alphanumeric() => out.extend(['-', end]),
                _ => return None,
            }
        }
    }
}

fn class_escape(c: char) -> Option<String> {
    match c {
        'd' => Some("0-9".to_owned()),
        'w' => Some("A-Za-z0-9_".to_owned()),
        _ if c.is_ascii_punctuation() => Some(format!("\\{c}")),
        _ => None,
    }
}

/// `{2}`, `{2,}`, `{2,5}`.
fn quantifier(chars: &mut Chars<'_>, out: &mut String) -> Option<()> {
    let mut inside = String::new();
    loop {
        match chars.next()? {
            '}' => break,
            c @ ('0'..='9' | ',') => inside.push(c),
            _ => return None,
        }
    }
    let (least, most) = inside.split_once(',').unwrap_or((&inside, ""));
    if least.is_empty() || most.contains(',') {
        return None;
    }
    out.push('{');
    out.push_str(&inside);
    out.push('}');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translates_what_means_the_same() {
        for (pattern, expected) in [
            (r"^[A-Z]{3}$", r"^[A-Z]{3}$"),
            (r"^c\d+$", r"^c[0-9]+$"),
            (r"[\w.-]+@(?:a|b)\.com", r"[A-Za-z0-9_.\-]+@(?:a|b)\.com"),
            (r"^\/x\-y$", r"^/x\-y$"),
        ] {
            assert_eq!(translate(pattern).as_deref(), Some(expected), "{pattern}");
            assert!(Regex::new(expected).is_ok(), "{expected}");
        }
        for unsure in [
            r"\bword",
            r"\s",
            r"(?=a)",
            r"(?<n>a)\k<n>",
            r"[a&&b]",
            r"[]",
            r"[^]",
            r"\p{L}",
            "é",
            r"\1",
            r"a{,5}",
            r"[\d-z]",
            r"\u0041",
            r"[[a]]",
            "a]",
            "x{y}",
        ] {
            assert_eq!(translate(unsure), None, "{unsure}");
        }
    }
}
