//! Texts as tokens and n-grams, as scikit-learn's vectorizers take them apart.

use crate::registry::{Node, Problem};
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::HashSet, sync::LazyLock};

/// What n-grams are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Of {
    /// Words: what `pattern` finds.
    #[default]
    Word,
    /// Characters.
    Char,
    /// Characters of one word each, with a space at both ends.
    CharWb,
}

/// Words of two characters or more, as Python's `\b\w\w+\b` finds them: its `\w` is a letter, a number
/// or `_`, that of Rust also a combining mark.
static WORDS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[\p{L}\p{N}_]{2,}").expect("a valid pattern"));

/// The longest n-gram that may be asked for.
const N_MAX: usize = 20;

/// The pattern of tokens under `pattern` of the options, or the usual one.
pub(super) fn pattern(node: &Node, pattern: Option<&str>) -> Result<Regex, Problem> {
    let Some(pattern) = pattern else { return Ok(WORDS.clone()) };
    let at = node.at("pattern");
    let regex = Regex::new(pattern).map_err(|error| {
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or_default();
        let reason = reason.trim_start_matches("error: ");
        Problem::new(at, format!("not a regular expression: {reason}"))
            .expected("Rust's syntax, such as `[a-z0-9]+`")
    })?;
    if regex.captures_len() > 1 {
        return Err(Problem::new(at, "a group that captures")
            .expected("a token as the whole match, and groups as `(?:..)`"));
    }
    if regex.is_match("") {
        return Err(Problem::new(at, "a pattern that finds empty tokens")
            .expected("`+` in the place of `*`"));
    }
    Ok(regex)
}

/// True for what Python's `str.split` and `\s` take for white space.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// How texts are taken apart.
#[derive(Debug)]
pub(super) struct Analyzer {
    of: Of,
    n: (usize, usize),
    lowercase: bool,
    pattern: Regex,
    /// Only ever asked whether it has a word.
    stop_words: HashSet<String>,
}

/// Room for one text and one n-gram, used again for the next.
#[derive(Debug, Default)]
pub(super) struct Room {
    text: String,
    /// Of one word with spaces around it.
    word: String,
    gram: String,
    /// Where characters begin, and the end.
    starts: Vec<usize>,
    /// Where tokens begin and end.
    tokens: Vec<(usize, usize)>,
}

impl Analyzer {
    pub(super) fn build(
        node: &Node,
        of: Of,
        [least, most]: [usize; 2],
        lowercase: bool,
        (token, stop_words): (Option<&str>, Vec<String>),
    ) -> Result<Self, Problem> {
        if !(1..=most).contains(&least) || most > N_MAX {
            return Err(Problem::new(
                node.at("ngram_range"),
                format!("n-grams of {least} to {most}"),
            )
            .expected(format!("the fewest and the most, 1 to {N_MAX}")));
        }
        if of != Of::Word {
            for (key, given) in
                [("pattern", token.is_some()), ("stop_words", !stop_words.is_empty())]
            {
                if given {
                    return Err(Problem::new(
                        node.at(key),
                        format!("`{key}` for n-grams of characters"),
                    )
                    .expected("`analyzer: word`"));
                }
            }
        }
        let pattern = pattern(node, token)?;
        let stop_words = stop_words.into_iter().collect();
        Ok(Self { of, n: (least, most), lowercase, pattern, stop_words })
    }

    /// Shows `each` the n-grams of a text, each as often as it is there.
    pub(super) fn each(&self, text: &str, room: &mut Room, each: impl FnMut(&str)) {
        let Room { text: own, word, gram, starts, tokens } = room;
        own.clear();
        let is_spaced = self.of != Of::Word;
        if self.lowercase && !text.is_ascii() {
            // The whole text at once: a final sigma is known by what follows.
            squeeze(&text.to_lowercase(), is_spaced, own);
        } else {
            squeeze(text, is_spaced, own);
            if self.lowercase {
                own.make_ascii_lowercase();
            }
        }
        match self.of {
            Of::Word => self.words(own, tokens, gram, each),
            Of::Char => self.characters(own, starts, each),
            Of::CharWb => self.in_words(own, word, starts, each),
        }
    }

    fn words(
        &self,
        text: &str,
        tokens: &mut Vec<(usize, usize)>,
        gram: &mut String,
        mut each: impl FnMut(&str),
    ) {
        let found = self.pattern.find_iter(text);
        let is_stop = |token: &str| !self.stop_words.is_empty() && self.stop_words.contains(token);
        tokens.clear();
        let kept = found.filter(|token| !is_stop(token.as_str()));
        tokens.extend(kept.map(|token| (token.start(), token.end())));
        let token = |(start, end): (usize, usize)| text.get(start..end).unwrap_or_default();
        for n in self.n.0..=self.n.1 {
            for window in tokens.windows(n) {
                let (first, others) = window.split_first().expect("n-grams have a word");
                if others.is_empty() {
                    each(token(*first));
                    continue;
                }
                gram.clear();
                gram.push_str(token(*first));
                gram.extend(others.iter().flat_map(|other| [" ", token(*other)]));
                each(gram);
            }
        }
    }

    fn characters(&self, text: &str, starts: &mut Vec<usize>, mut each: impl FnMut(&str)) {
        begin(text, starts);
        for n in self.n.0..=self.n.1 {
            for window in starts.windows(n + 1) {
                each(text.get(window[0]..window[n]).unwrap_or_default());
            }
        }
    }

    /// A word that is shorter than the n-grams counts once.
    fn in_words(
        &self,
        text: &str,
        word: &mut String,
        starts: &mut Vec<usize>,
        mut each: impl FnMut(&str),
    ) {
        for part in text.split(is_space).filter(|part| !part.is_empty()) {
            word.clear();
            word.extend([" ", part, " "]);
            begin(word, starts);
            for n in self.n.0..=self.n.1 {
                if n + 1 >= starts.len() {
                    each(word);
                    break;
                }
                for window in starts.windows(n + 1) {
                    each(word.get(window[0]..window[n]).unwrap_or_default());
                }
            }
        }
    }
}

/// Where the characters of a text begin, and its end.
fn begin(text: &str, starts: &mut Vec<usize>) {
    starts.clear();
    starts.extend(text.char_indices().map(|(start, _)| start));
    starts.push(text.len());
}

/// Appends a text, if asked with one space for each two or more characters of white space.
fn squeeze(text: &str, spaces: bool, out: &mut String) {
    if !spaces {
        out.push_str(text);
        return;
    }
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if !is_space(c) || characters.next_if(|next| is_space(*next)).is_none() {
            out.push(c);
            continue;
        }
        while characters.next_if(|next| is_space(*next)).is_some() {}
        out.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grams(of: Of, n: [usize; 2], text: &str) -> Vec<String> {
        let node = Node::parse("{}").unwrap();
        let analyzer = Analyzer::build(&node, of, n, true, (None, Vec::new())).unwrap();
        let mut grams = Vec::new();
        analyzer.each(text, &mut Room::default(), |gram| grams.push(gram.to_owned()));
        grams
    }

    /// What `CountVectorizer(..).build_analyzer()` gives.
    #[test]
    fn texts_come_apart_as_scikit_learn_takes_them() {
        assert_eq!(
            grams(Of::Word, [1, 2], "To be, or 2b_?"),
            ["to", "be", "or", "2b_", "to be", "be or", "or 2b_"]
        );
        assert_eq!(grams(Of::Word, [1, 1], "A e\u{301}te x²y naïve"), ["te", "x²y", "naïve"]);
        assert_eq!(grams(Of::Char, [1, 2], "a \n b"), ["a", " ", "b", "a ", " b"]);
        assert_eq!(grams(Of::Char, [1, 1], "a\nb"), ["a", "\n", "b"]);
        assert_eq!(grams(Of::CharWb, [3, 4], "Ab c"), [" ab", "ab ", " ab ", " c "]);
        assert_eq!(grams(Of::CharWb, [4, 5], "c de"), [" c ", " de "]);
        assert_eq!(grams(Of::Char, [3, 3], "ab"), [""; 0]);
        assert_eq!(grams(Of::Word, [1, 1], ""), [""; 0]);
    }
}
