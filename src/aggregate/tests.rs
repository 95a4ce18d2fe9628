//! What holds for every aggregate of the table.

use super::*;
use crate::state::Horizon;

#[test]
fn names_are_unique_summaries_are_sentences_and_examples_build() {
    for (i, component) in AGGREGATES.iter().enumerate() {
        let name = component.name;
        assert!(AGGREGATES[..i].iter().all(|c| c.name != name), "{name} stands twice");
        assert!(component.summary.ends_with('.'), "{name}: {}", component.summary);
        assert!(component.summary.starts_with(char::is_uppercase), "{name}");
        let example = Node::parse(component.example).unwrap();
        (component.build)(&example).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        let wrong = Node::parse("{ no_such_option: 1 }").unwrap();
        assert!((component.build)(&wrong).is_err(), "{name} takes any option");
        assert!((component.schema)().as_object().is_some(), "{name}");
    }
}

#[test]
fn an_empty_window_is_null_and_its_count_and_sum_are_zero() {
    let summaries = [Summary::default()];
    let texts = Texts::default();
    let input = DataType::Float64;
    let frame = Frame { summaries: &summaries, input: Some(&input), texts: &texts };
    let (symbols, pairs) = (Symbols::default(), Pairs::default());
    let (kind, own) = (Kind::Float, None);
    let (symbols, pairs) = (&symbols, &pairs);
    let (time, has_own, behind) = (0, false, 0);
    let empty = Content { events: &[], kind, symbols, pairs, own, time, has_own, behind };
    for component in AGGREGATES {
        // Without `null_when_empty`.
        let options = if component.name == "sum" { "{}" } else { component.example };
        let aggregate = (component.build)(&Node::parse(options).unwrap()).unwrap();
        let output = aggregate.output(Some(&input), Some(&input)).unwrap();
        let column = match &aggregate {
            Aggregate::Summary(aggregate)
            | Aggregate::Nulls(aggregate)
            | Aggregate::Holding(_, aggregate) => aggregate.column(&frame),
            Aggregate::Events(aggregate) => {
                let mut scan = aggregate.scan(Some(&input));
                scan.take(&empty);
                scan.finish()
            }
            Aggregate::Pairs(_, aggregate) => {
                let mut scan = aggregate.scan(&input, &input);
                scan.take(&empty);
                scan.finish()
            }
            Aggregate::Recursive(aggregate) => {
                let asked =
                    Asked { horizon: Horizon::Forever, exclude_current: false, min_count: 0 };
                let (values, counts) = ([vec![4.0]], [false]);
                let steps = Steps {
                    slots: &[0],
                    times: &[1],
                    watermarks: &[1],
                    counts: &counts,
                    values: &values,
                };
                Arc::new(aggregate.states(asked).advance(&steps))
            }
        };
        assert_eq!(column.data_type(), &output.data_type, "{}", component.name);
        let zero = matches!(
            component.name,
            "count"
                | "count_null"
                | "sum"
                | "distinct"
                | "histogram"
                | "decayed_count"
                | "decayed_sum"
        );
        assert_eq!(column.is_null(0), !zero, "{}", component.name);
        assert_eq!(output.nullable, !zero, "{}", component.name);
    }
}
