//! `docs/components.md`: every component with its options, its formula, what it costs and what it was
//! compared with.

use super::{options::options, oracles::Oracles};
use crate::{
    aggregate::{self, EventBuffer, Kind, Needs, Pool},
    clean, decode, encode, feature,
    pipeline::spec,
    registry::Component,
    validate::rules,
    window,
};
use serde_json::Value;
use std::fmt::Write;

const HEAD: &str = "# Components

`make bless` writes this page: it is what `millstream components --markdown --compared
docs/catalogue.md` prints. A component is a name in the pipeline file with the options that stand
below it; an option without a default may be left out. Oracles are those of the last run that wrote
[catalogue.md](catalogue.md), which says how they were asked and has each difference. A null is never
NaN: null is no value, NaN is one.
";

const RULES: &str =
    "Keywords of the record's JSON Schema that are judged while records are decoded. All others of
draft 2020-12 are judged too, by the complete validator.
";

const CLEAN: &str =
    "In order; each step sees what the one before left. Bytes of state are those of the daemon's
memory, and about those of a snapshot.
";

const EXPECTATIONS: &str =
    "What the records of a partition should be like, over tumbling windows of event time: an entry of
`expect` has one measure, and beside it `column`, `name`, `severity`, `min_count`, and `share` where
each record is asked. How windows close, and what a verdict says:
[catalogue.md](catalogue.md#expectations).
";

const FEATURES: &str =
    "The vector, in this order. A column's name alone is that column, a name with a text is an SQL
expression. What remembers is kept by `window`, and told to the feature.
";

/// The page, with what each component was compared with.
pub(super) fn page(oracles: &Oracles) -> String {
    let mut page = Page { text: HEAD.to_owned(), oracles };
    page.section("source.format", "", decode::FORMATS, &[]);
    page.section("Rules", RULES, rules::RULES, &[]);
    page.section("clean", CLEAN, clean::OPERATORS, &["cleaners"]);
    page.section("expectations", EXPECTATIONS, window::MEASURES, &["expectations"]);
    page.windows();
    page.section("features", FEATURES, feature::FEATURES, &["features"]);
    page.section("output.format", "", encode::FORMATS, &[]);
    page.text
}

struct Page<'a> {
    text: String,
    oracles: &'a Oracles,
}

impl Page<'_> {
    /// Appends a paragraph.
    fn say(&mut self, text: &str) {
        writeln!(self.text, "\n{}", text.trim_end()).expect("texts take everything");
    }

    fn section<B>(&mut self, title: &str, words: &str, table: &[Component<B>], compared: &[&str]) {
        self.say(&format!("## {title}"));
        if !words.is_empty() {
            self.say(words);
        }
        self.components(table, compared);
    }

    fn components<B>(&mut self, table: &[Component<B>], compared: &[&str]) {
        for component in table {
            self.component(component, compared);
        }
    }

    fn component<B>(&mut self, component: &Component<B>, compared: &[&str]) {
        self.say(&format!("### `{}`", component.name));
        self.say(component.summary);
        let schema = (component.schema)().to_value();
        self.options(&schema);
        self.say(&format!("```yaml\n{}: {}\n```", component.name, component.example));
        self.say(component.details);
        self.say(&format!("State: {}.", component.state));
        if !compared.is_empty() {
            let compared = match self.oracles.of(compared, component.name) {
                Some((asked, largest)) => {
                    format!("Compared with: {}. Largest difference: {largest}.", asked.join("; "))
                }
                None => "Compared with: nothing yet.".to_owned(),
            };
            self.say(&compared);
        }
    }

    /// A table of the options; nothing where the value is no map of them.
    fn options(&mut self, schema: &Value) {
        let options = options(schema);
        if options.is_empty() {
            if schema.get("type").and_then(Value::as_str) == Some("object") {
                self.say("No options.");
            }
            return;
        }
        self.say("| option | takes | default | |\n|---|---|---|---|");
        for option in options {
            let cells = [&option.takes, &option.default, &option.meaning];
            let cells = cells.map(|cell| cell.replace('\n', " ").replace('|', "\\|"));
            writeln!(self.text, "| `{}` | {} |", option.name, cells.join(" | "))
                .expect("texts take everything");
        }
    }

    /// Options of a window, what its events cost, and the aggregates.
    fn windows(&mut self) {
        self.say("## windows");
        let schema = spec::json_schema();
        let window = schema.pointer("/properties/windows/items").expect("windows have a schema");
        self.say(
            "A window of one shape, `over`, `tumbling` or `session`, and what is computed over it.",
        );
        self.options(window);
        let bytes = |kind, needs| Pool::new(kind, needs).event_bytes();
        let text = format!(
            "State: {} bytes per event of a column and {} without one, once for all windows over the \
             column with the same `where`, for the longest of them and the lateness; {} bytes per key. \
             A text costs its bytes once per partition. Nulls are skipped, and so are records that \
             `where` does not hold for; NaN is a value. Order is that of event time, then offset.",
            bytes(Kind::Float, Needs { moments: true, ..Needs::NONE }),
            bytes(Kind::Nothing, Needs::NONE),
            size_of::<EventBuffer>(),
        );
        self.say(&text);
        self.say(
            "Every aggregate takes `as` beside its options: the name of its column instead of \
                  `{of}_{aggregate}_{window}`.",
        );
        self.components(aggregate::AGGREGATES, &["aggregates", "flink"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_described<B>(table: &[Component<B>]) {
        for Component { name, details, state, .. } in table {
            assert!(details.ends_with('.'), "`details` of `{name}`: {details}");
            assert!(!state.is_empty() && !state.ends_with('.'), "`state` of `{name}`: {state}");
        }
    }

    #[test]
    fn every_component_says_what_it_computes_and_what_it_costs() {
        assert_described(decode::FORMATS);
        assert_described(rules::RULES);
        assert_described(clean::OPERATORS);
        assert_described(window::MEASURES);
        assert_described(aggregate::AGGREGATES);
        assert_described(feature::FEATURES);
        assert_described(encode::FORMATS);
    }

    #[test]
    fn every_option_is_described() {
        fn assert_options<B>(table: &[Component<B>]) {
            for component in table {
                for option in options(&(component.schema)().to_value()) {
                    let name = component.name;
                    assert!(!option.meaning.is_empty(), "`{}` of `{name}`", option.name);
                    assert!(!option.takes.is_empty(), "`{}` of `{name}`", option.name);
                }
            }
        }
        assert_options(clean::OPERATORS);
        assert_options(window::MEASURES);
        assert_options(aggregate::AGGREGATES);
        assert_options(feature::FEATURES);
    }
}
