//! The schema's text and the files its `$ref`s name. Nothing is ever fetched from a network.

use super::json;
use crate::registry::{Node, Position, Problem, Value};

/// Files that one schema may name, itself included.
const DOCUMENTS_MAX: usize = 64;

/// A JSON Schema dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draft {
    /// Draft-07: a `$ref` hides the keywords beside it.
    Draft07,
    /// Draft 2020-12, also where `$schema` says nothing.
    Draft202012,
}

#[derive(Debug, Clone)]
struct Document {
    /// Path relative to the schema; empty for the schema itself.
    name: String,
    text: Result<String, String>,
    root: Option<Node>,
}

impl Document {
    fn text(&self) -> Result<&str, &str> {
        self.text.as_deref().map_err(String::as_str)
    }
}

/// The schema and the files it refers to.
#[derive(Debug, Clone)]
pub(super) struct Documents {
    all: Vec<Document>,
    draft: Draft,
    /// True if a schema inside a document has an `$id` of its own, or an anchor: references then
    /// mean what only the complete validator knows.
    embedded: bool,
}

/// A schema inside a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'d> {
    pub(super) document: usize,
    pub(super) node: &'d Node,
}

impl Documents {
    /// Reads the schema, then every file that a relative `$ref` names.
    pub(super) fn load(
        text: &str,
        read: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<Self, Problem> {
        let root = json::parse(text)?;
        let draft = draft(&root)?;
        let first = Document { name: String::new(), text: Ok(text.to_owned()), root: Some(root) };
        let mut documents = Self { all: vec![first], draft, embedded: false };
        let mut next = 0;
        while let Some(document) = documents.all.get(next) {
            let mut found = Found::default();
            if let Some(root) = &document.root {
                // A file with an `$id` is reached by that too, and its own references start there.
                found.walk(root, next == 0);
            }
            let folder = document.name.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            documents.embedded |= found.embedded;
            for (file, at) in found.files {
                documents.add(&folder, &file, at, read)?;
            }
            next += 1;
        }
        Ok(documents)
    }

    fn add(
        &mut self,
        folder: &str,
        file: &str,
        at: Position,
        read: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<(), Problem> {
        let name = join(folder, file).ok_or_else(|| {
            Problem::new(at, format!("`$ref` leads out of the schema's folder: `{file}`"))
                .expected("a file beside the schema or below it")
        })?;
        if self.all.iter().any(|d| d.name == name) {
            return Ok(());
        }
        if self.all.len() == DOCUMENTS_MAX {
            return Err(Problem::new(at, "the schema's `$ref`s name too many files")
                .expected(format!("at most {DOCUMENTS_MAX}")));
        }
        let text = read(&name);
        let root = match &text {
            Ok(text) => Some(json::parse(text).map_err(|e| e.in_file(&name))?),
            Err(_) => None,
        };
        self.all.push(Document { name, text, root });
        Ok(())
    }

    /// The schema itself.
    pub(super) fn root(&self) -> Place<'_> {
        let node = self.all[0].root.as_ref().expect("the schema was read");
        Place { document: 0, node }
    }

    /// The schema's text as written.
    pub(super) fn root_text(&self) -> &str {
        self.all[0].text.as_deref().expect("the schema was read")
    }

    /// The dialect.
    pub(super) fn draft(&self) -> Draft {
        self.draft
    }

    /// The files beside the schema.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, Result<&str, &str>)> {
        self.all.iter().skip(1).map(|d| (d.name.as_str(), d.text()))
    }

    /// The schema that `reference`, standing in `from`, names by a JSON pointer; none where only
    /// the complete validator can tell.
    pub(super) fn resolve(&self, from: usize, reference: &str) -> Option<Place<'_>> {
        if self.embedded || reference.contains('%') {
            return None;
        }
        let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let document = if file.is_empty() {
            from
        } else {
            let folder = self.all[from].name.rsplit_once('/').map_or("", |(f, _)| f);
            let name = join(folder, file)?;
            self.all.iter().position(|d| d.name == name)?
        };
        let mut node = self.all[document].root.as_ref()?;
        if !pointer.is_empty() {
            for part in pointer.strip_prefix('/')?.split('/') {
                node = node.get(&part.replace("~1", "/").replace("~0", "~"))?;
            }
        }
        Some(Place { document, node })
    }
}

/// What stands in a document.
#[derive(Default)]
struct Found {
    files: Vec<(String, Position)>,
    embedded: bool,
}

impl Found {
    fn walk(&mut self, node: &Node, root: bool) {
        match &node.value {
            Value::Map(entries) => {
                for (key, at, value) in entries {
                    match (key.as_str(), value.as_str()) {
                        ("$ref", Some(reference)) => self.reference(reference, *at),
                        ("$id", Some(_)) if !root => self.embedded = true,
                        ("$anchor" | "$dynamicAnchor", Some(_)) => self.embedded = true,
                        _ => self.walk(value, false),
                    }
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.walk(item, false)),
            _ => {}
        }
    }

    fn reference(&mut self, reference: &str, at: Position) {
        let file = reference.split('#').next().unwrap_or_default();
        let absolute = file.contains(':') || file.starts_with('/');
        if !file.is_empty() && !absolute {
            self.files.push((file.to_owned(), at));
        }
    }
}

/// `file` as seen from `folder`, without `.` and `..`; none if it leads out.
fn join(folder: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn draft(root: &Node) -> Result<Draft, Problem> {
    let Some(node) = root.get("$schema") else { return Ok(Draft::Draft202012) };
    let uri = node.as_str().unwrap_or_default();
    match uri.trim_end_matches('#') {
        "https://json-schema.org/draft/2020-12/schema" => Ok(Draft::Draft202012),
        "http://json-schema.org/draft-07/schema" => Ok(Draft::Draft07),
        _ => Err(Problem::new(node.at, format!("`$schema` names {}", node.kind())).expected(
            "`https://json-schema.org/draft/2020-12/schema` or \
             `http://json-schema.org/draft-07/schema#`",
        )),
    }
}
