//! What the runs of the oracles have written: the tables of `docs/catalogue.md`.

use std::collections::BTreeMap;

/// Oracles of each component by the table that lists it, in the order of the runs.
#[derive(Debug, Default)]
pub(super) struct Oracles(BTreeMap<String, Vec<Entry>>);

/// A line of a table.
#[derive(Debug)]
struct Entry {
    component: String,
    oracle: String,
    /// As written: `0` or `< 1e-12`.
    largest: String,
}

impl Oracles {
    /// Reads a page: tables stand between `<!-- name -->` and `<!-- /name -->`, and in a line
    /// ``| `component: { options }` | oracle | compared | largest difference |``.
    pub(super) fn read(page: &str) -> Self {
        let mut tables = BTreeMap::<String, Vec<Entry>>::new();
        let mut open = None;
        for line in page.lines() {
            let mark = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
            if let Some(mark) = mark {
                open = (!mark.starts_with('/')).then(|| mark.to_owned());
            } else if let (Some(table), Some(entry)) = (&open, Entry::read(line)) {
                tables.entry(table.clone()).or_default().push(entry);
            }
        }
        Self(tables)
    }

    /// Who was asked about a component in these tables, each once, and the largest difference of all;
    /// none if nobody.
    pub(super) fn of(&self, tables: &[&str], component: &str) -> Option<(Vec<&str>, &str)> {
        let entries = tables.iter().filter_map(|table| self.0.get(*table)).flatten();
        let entries = entries.filter(|entry| entry.component == component);
        let mut asked: Vec<&str> = Vec::new();
        let mut largest = "0";
        for entry in entries {
            if !asked.contains(&entry.oracle.as_str()) {
                asked.push(&entry.oracle);
            }
            if power(&entry.largest) > power(largest) {
                largest = &entry.largest;
            }
        }
        (!asked.is_empty()).then_some((asked, largest))
    }
}

impl Entry {
    fn read(line: &str) -> Option<Self> {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split(" | ").collect();
        let [title, oracle, _, largest] = cells[..] else { return None };
        let (component, _) = title.split_once([':', '`'])?;
        Some(Self {
            component: component.to_owned(),
            oracle: oracle.to_owned(),
            largest: largest.trim_end_matches(" |").to_owned(),
        })
    }
}

/// The power of ten that a difference is below.
fn power(largest: &str) -> i32 {
    largest.strip_prefix("< 1e").and_then(|power| power.parse().ok()).unwrap_or(i32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_has_the_oracles_of_all_its_lines() {
        let page = "
<!-- aggregates -->

| entry | oracle | windows compared | largest difference |
|---|---|---:|---:|
| `var` | numpy.var, ddof=1 | 27,930 | < 1e-14 |
| `var: { ddof: 0 }` | numpy.var | 27,930 | 0 |
| `var` | pandas rolling | 1,458 | < 1e-9 |
| `count` of texts | len | 5 | 0 |

<!-- /aggregates -->
| `none` | of a table | 1 | 0 |
";
        let oracles = Oracles::read(page);
        let asked = vec!["numpy.var, ddof=1", "numpy.var", "pandas rolling"];
        assert_eq!(oracles.of(&["aggregates"], "var"), Some((asked, "< 1e-9")));
        assert_eq!(oracles.of(&["aggregates"], "count"), Some((vec!["len"], "0")));
        assert_eq!(oracles.of(&["aggregates"], "va"), None);
        assert_eq!(oracles.of(&["features"], "var"), None);
    }
}
