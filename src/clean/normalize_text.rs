//! `normalize_text`: texts that look the same become the same bytes, as Unicode Annex 15 says.

use super::{Build, text::Text};
use crate::registry::{self, Component, schema_of};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) const COMPONENT: Component<Build> = Component {
    name: "normalize_text",
    summary: "Writes text columns in a Unicode normalization form.",
    example: "{ columns: [category], form: nfkc }",
    details: "`nfc` composes: an `e` and a combining acute accent become one `é`; `nfd` takes apart. \
              `nfkc` and `nfkd` also replace characters that are forms of others: `ﬁ` by `fi`, `²` by `2`, \
              full-width letters by plain ones. Unicode Standard Annex 15. Null stays null.",
    state: "none",
    schema: schema_of::<Options>,
    build: |node, input| {
        let Options { columns, form } = registry::options(node)?;
        let normalizer = form.normalizer();
        Text::of(&columns, node, input, move |text, out| out.push_str(&normalizer.normalize(text)))
    },
};

/// Options of `normalize_text`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Columns to rewrite.
    columns: Vec<String>,
    /// The form.
    #[serde(default)]
    form: Form,
}

/// A normalization form.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Form {
    /// Composed.
    #[default]
    Nfc,
    /// Taken apart.
    Nfd,
    /// Composed, with forms of characters replaced by those characters.
    Nfkc,
    /// Taken apart, with forms of characters replaced by those characters.
    Nfkd,
}

enum Normalizer {
    Composing(ComposingNormalizerBorrowed<'static>),
    Decomposing(DecomposingNormalizerBorrowed<'static>),
}

impl Form {
    fn normalizer(self) -> Normalizer {
        match self {
            Self::Nfc => Normalizer::Composing(ComposingNormalizerBorrowed::new_nfc()),
            Self::Nfkc => Normalizer::Composing(ComposingNormalizerBorrowed::new_nfkc()),
            Self::Nfd => Normalizer::Decomposing(DecomposingNormalizerBorrowed::new_nfd()),
            Self::Nfkd => Normalizer::Decomposing(DecomposingNormalizerBorrowed::new_nfkd()),
        }
    }
}

impl Normalizer {
    fn normalize<'t>(&self, text: &'t str) -> std::borrow::Cow<'t, str> {
        match self {
            Self::Composing(normalizer) => normalizer.normalize(text),
            Self::Decomposing(normalizer) => normalizer.normalize(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{batch::Rejections, clean::testing};
    use arrow::array::AsArray;

    #[test]
    fn each_form_is_that_of_the_annex() {
        let normalized = |form: &str, text: &str| {
            let row = testing::Row { category: Some(text), ..testing::Row::default() };
            let options = format!("{{ columns: [category], form: {form} }}");
            let mut clean = testing::build("normalize_text", &options).unwrap();
            let rows = clean.advance(testing::rows(&[row]), &mut Rejections::default());
            rows.columns["category"].as_string::<i32>().value(0).to_owned()
        };
        let text = "e\u{301} \u{e9} \u{fb01} \u{ff21}\u{b2} \u{1e9b}\u{323}";
        assert_eq!(
            normalized("nfc", text),
            "\u{e9} \u{e9} \u{fb01} \u{ff21}\u{b2} \u{1e9b}\u{323}"
        );
        assert_eq!(
            normalized("nfd", text),
            "e\u{301} e\u{301} \u{fb01} \u{ff21}\u{b2} \u{17f}\u{323}\u{307}"
        );
        assert_eq!(normalized("nfkc", text), "\u{e9} \u{e9} fi A2 \u{1e69}");
        assert_eq!(normalized("nfkd", text), "e\u{301} e\u{301} fi A2 s\u{323}\u{307}");
    }
}
