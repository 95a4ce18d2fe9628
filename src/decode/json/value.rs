//! A value into its column.

use super::{
    column::{Column, Strings, Values},
    cursor::{Cursor, Parsed},
    number::NotInteger,
    text::unescape,
    walk::Walk,
};
use crate::schema::{Types, time};

/// What was found instead of what the column takes.
type Got = Option<&'static str>;

impl Walk<'_> {
    /// Reads a value that is not null into a column: one more entry, or what stands there instead.
    pub(super) fn value(&mut self, column: usize, depth: u8) -> Parsed<Got> {
        let next = self.cursor.peek();
        let target = &mut self.columns[column];
        match &target.values {
            Values::List(_) if next == b'[' => self.list(column, depth),
            Values::Text(types, _) if types.intersects(types_of(next)) => self.json(column, depth),
            Values::List(_) | Values::Text(..) => self.other(depth),
            values if takes(values, next) => {
                scalar(&mut self.cursor, target, &mut self.scratch.text)
            }
            _ => self.other(depth),
        }
    }

    fn list(&mut self, column: usize, depth: u8) -> Parsed<Got> {
        let depth = self.cursor.deeper(depth)?;
        self.cursor.at += 1;
        self.cursor.space();
        let mut got = None;
        let mut more = !self.cursor.take(b']');
        while more {
            let next = self.cursor.peek();
            let Values::List(list) = &mut self.columns[column].values else {
                unreachable!("the column holds lists")
            };
            let wrong = if next == b'n' {
                self.cursor.literal("null")?;
                list.items.push_null();
                (!list.nullable).then_some("a null among its items")
            } else if takes(&list.items.values, next) {
                scalar(&mut self.cursor, &mut list.items, &mut self.scratch.text)?
                    .map(|_| "an item of another kind")
            } else {
                self.skip(depth)?;
                Some("an item of another kind")
            };
            got = got.or(wrong);
            more = self.cursor.more(b']', "`,` or `]`")?;
        }
        if got.is_none() {
            let target = &mut self.columns[column];
            if let Values::List(list) = &mut target.values {
                list.end();
            }
            target.accept();
        }
        Ok(got)
    }

    /// Any value as its text.
    fn json(&mut self, column: usize, depth: u8) -> Parsed<Got> {
        let start = self.cursor.at;
        self.skip(depth)?;
        let target = &mut self.columns[column];
        if let Values::Text(_, strings) = &mut target.values {
            strings.bytes.extend_from_slice(self.cursor.since(start));
            strings.end();
        }
        target.accept();
        Ok(None)
    }
}

/// True if a scalar of that column can begin with `next`.
#[inline]
fn takes(values: &Values, next: u8) -> bool {
    match values {
        Values::Boolean(_) => matches!(next, b't' | b'f'),
        Values::Integer(_) | Values::Number(_) => matches!(next, b'-' | b'0'..=b'9'),
        Values::String(_) | Values::DateTime(..) | Values::Date(_) => next == b'"',
        Values::List(_) | Values::Text(..) => false,
    }
}

/// The types of a value that begins with `next`; any for what begins no value, a fault to come.
fn types_of(next: u8) -> Types {
    match next {
        b'"' => Types::STRING,
        b'{' => Types::OBJECT,
        b'[' => Types::ARRAY,
        b't' | b'f' => Types::BOOLEAN,
        b'-' | b'0'..=b'9' => Types::NUMBER,
        _ => Types::ANY,
    }
}

/// Reads a scalar that begins as the column's values do.
#[inline]
fn scalar(cursor: &mut Cursor<'_>, column: &mut Column, scratch: &mut Vec<u8>) -> Parsed<Got> {
    match &mut column.values {
        Values::Boolean(bits) => {
            let value = cursor.peek() == b't';
            cursor.literal(if value { "true" } else { "false" })?;
            bits.append(value);
        }
        Values::Integer(values) => {
            let number = cursor.number()?;
            match cursor.integer(&number)? {
                Ok(value) => values.push(value),
                Err(NotInteger::Fraction) => return Ok(Some("a number with a fraction")),
                Err(NotInteger::Wide) => return Ok(Some("an integer beyond 64 bits")),
            }
        }
        Values::Number(values) => {
            let number = cursor.number()?;
            values.push(cursor.float(&number)?);
        }
        Values::String(strings) => text(cursor, strings)?,
        Values::DateTime(values, _) => match time::date_time(plain(cursor, scratch)?) {
            Some(us) => values.push(us),
            None => return Ok(Some("another string")),
        },
        Values::Date(values) => match time::date(plain(cursor, scratch)?) {
            Some(days) => values.push(days),
            None => return Ok(Some("another string")),
        },
        Values::List(_) | Values::Text(..) => unreachable!("neither is a scalar"),
    }
    column.accept();
    Ok(None)
}

#[inline]
fn text(cursor: &mut Cursor<'_>, strings: &mut Strings) -> Parsed<()> {
    cursor.at += 1;
    let text = cursor.text()?;
    let inside = &cursor.bytes[text.inside];
    if text.escaped {
        unescape(inside, &mut strings.bytes);
    } else {
        strings.bytes.extend_from_slice(inside);
    }
    strings.end();
    Ok(())
}

/// A string's text, where it stands if it has no escapes.
fn plain<'t, 'a: 't>(cursor: &mut Cursor<'a>, scratch: &'t mut Vec<u8>) -> Parsed<&'t [u8]> {
    cursor.at += 1;
    let text = cursor.text()?;
    let inside = &cursor.bytes[text.inside];
    if !text.escaped {
        return Ok(inside);
    }
    scratch.clear();
    unescape(inside, scratch);
    Ok(scratch)
}
