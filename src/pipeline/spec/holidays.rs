//! Holidays from a file of their own: `calendar: { column: ts, parts: [is_holiday], holidays: ch.csv }`.
//!
//! A line of the file is a date and a name, `2026-12-25,Christmas`; the first may be `date,name`, and
//! empty lines and those that begin with `#` say nothing. The dates take the place of the path before
//! anything else reads the options, so that the hash of the definition is taken of them.

use crate::registry::{Node, Position, Problem, Value};

/// The option that may be a path.
const KEY: &str = "holidays";

/// The first line of a file that names its columns.
const HEAD: &str = "date,name";

/// Dates, where they are named, names.
type Entries = Vec<(String, Position, Node)>;

/// Puts holidays in the place of their file, if the options of a feature name one.
pub(super) fn fill(
    options: &mut [(String, Position, Node)],
    read: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<(), Problem> {
    let Some((.., node)) = options.iter_mut().find(|(key, ..)| key == KEY) else { return Ok(()) };
    let Some(name) = node.as_str() else { return Ok(()) };
    let text = read(name).map_err(|error| {
        Problem::new(node.at, format!("cannot read the holidays `{name}`: {error}"))
            .expected("the path of a file of dates and names, relative to this file")
    })?;
    let holidays = parse(&text, node.at)
        .map_err(|(line, what)| Problem::new(node.at, format!("in `{name}`, line {line}: {what}")))
        .map_err(|problem| problem.expected("lines such as `2026-12-25,Christmas`"))?;
    node.value = Value::Map(holidays);
    Ok(())
}

/// The entries of a file, all at the place where it is named; or the line that is wrong, and how.
fn parse(text: &str, at: Position) -> Result<Entries, (usize, String)> {
    let mut entries = Entries::new();
    for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || (entries.is_empty() && line == HEAD) {
            continue;
        }
        let (date, name) = line.split_once(',').unwrap_or((line, ""));
        let (date, name) = (date.trim(), name.trim().trim_matches('"'));
        if date.parse::<chrono::NaiveDate>().is_err() {
            return Err((number, format!("`{date}` is no date")));
        }
        if entries.iter().any(|(known, ..)| known == date) {
            return Err((number, format!("`{date}` stands twice")));
        }
        let name = Node { value: Value::String(name.to_owned()), at };
        entries.push((date.to_owned(), at, name));
    }
    if entries.is_empty() { Err((1, "no holidays".to_owned())) } else { Ok(entries) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let mut node = Node::parse("{ column: ts, holidays: ch.csv }").unwrap();
        let Value::Map(options) = &mut node.value else { unreachable!() };
        let mut read = |name: &str| match name {
            "ch.csv" => Ok(text.to_owned()),
            _ => Err("it is not there".to_owned()),
        };
        fill(options, &mut read).map_err(|problem| problem.to_string())?;
        Ok(node.canonical())
    }

    #[test]
    fn a_file_stands_as_if_it_had_been_written_out() {
        let written = "{ column: ts, holidays: { 2026-12-25: Christmas, 2027-01-01: '' } }";
        let expected = Node::parse(written).unwrap().canonical();
        let files = [
            "2026-12-25,Christmas\n2027-01-01\n",
            "\u{feff}date,name\r\n# of Switzerland\r\n\r\n2026-12-25, \"Christmas\"\r\n2027-01-01,\r\n",
        ];
        for file in files {
            assert_eq!(filled(file).unwrap(), expected);
        }
    }

    #[test]
    fn mistakes_say_the_line() {
        let expected = "; expected lines such as `2026-12-25,Christmas`";
        for (file, what) in [
            ("25.12.2026,Christmas", "line 1: `25.12.2026` is no date"),
            ("2026-12-25,a\n2026-02-30,b", "line 2: `2026-02-30` is no date"),
            ("2026-12-25,a\n\n2026-12-25,b", "line 3: `2026-12-25` stands twice"),
            ("date,name\n", "line 1: no holidays"),
        ] {
            assert_eq!(filled(file).unwrap_err(), format!("1:25: in `ch.csv`, {what}{expected}"));
        }
    }
}
