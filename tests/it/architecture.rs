//! The tree checks itself: who may import whom, what steps may not touch, how long a file may be.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Module, and the modules of the crate it may import; `*` stands for all. A module that is absent
/// from this table fails the test.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // Vocabulary.
    ("batch", &[]),
    ("registry", &[]),
    ("schema", &["registry"]),
    // Kit: vocabulary, and `aggregate` keeps its buffers as `state` does.
    ("state", VOCABULARY),
    ("aggregate", VOCABULARY_AND_STATE),
    ("expression", VOCABULARY),
    // Steps: vocabulary and kit, blind to each other.
    ("decode", VOCABULARY),
    ("validate", VOCABULARY),
    ("clean", KIT),
    ("window", KIT),
    ("feature", KIT),
    ("encode", VOCABULARY),
    // Edges: the I/O. They know no step.
    ("settings", VOCABULARY),
    ("telemetry", VOCABULARY),
    ("kafka", VOCABULARY_AND_SETTINGS),
    ("store", STORE),
    ("source", EDGES),
    ("sink", EDGES),
    // Assembly, then the shell.
    ("pipeline", &["*"]),
    ("cli", SHELL),
    ("main", &["cli"]),
    ("lib", &[]),
];

const VOCABULARY: &[&str] = &["batch", "registry", "schema"];
const VOCABULARY_AND_STATE: &[&str] = &["batch", "registry", "schema", "state"];
const KIT: &[&str] = &["batch", "registry", "schema", "state", "aggregate", "expression"];
const VOCABULARY_AND_SETTINGS: &[&str] = &["batch", "registry", "schema", "settings"];
const EDGES: &[&str] = &["batch", "registry", "schema", "settings", "kafka"];
/// `store` names snapshots by what their headers say; it knows nothing else of the state.
const STORE: &[&str] = &["batch", "registry", "schema", "settings", "state"];
/// `cli` lists the component tables and runs the pipeline.
const SHELL: &[&str] = &[
    "batch",
    "registry",
    "schema",
    "decode",
    "validate",
    "clean",
    "aggregate",
    "expression",
    "window",
    "feature",
    "encode",
    "settings",
    "telemetry",
    "store",
    "pipeline",
];

/// Modules whose results may depend on nothing but their input.
const PURE: &[&str] = &[
    "batch",
    "registry",
    "schema",
    "state",
    "aggregate",
    "expression",
    "decode",
    "validate",
    "clean",
    "window",
    "feature",
    "encode",
];

/// What a pure module may not name: I/O, clocks, environment, randomness, printing.
const IMPURE: &[&str] = &[
    "tokio::",
    "rdkafka::",
    "object_store::",
    "prometheus::",
    "reqwest::",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "SystemTime::now",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "rand::",
    "println!",
    "RandomState",
    "thread_rng",
];

/// Lines of a file, tests included: beyond it a file tells more than one story.
const FILE_LINES_MAX: usize = 400;

/// Where JSON is a tree of values: no record is there but for the complete validator; the page of
/// components reads the schemas of options.
const HOLD_JSON_VALUES: [&str; 2] = ["validate/complete", "cli/components"];

/// Records never become a tree of values, except for the complete validator.
#[test]
fn only_the_complete_validator_holds_json_values() {
    let holds = |text: &str| {
        without_comments_and_tests(text)
            .lines()
            .any(|line| line.contains("serde_json::") && names(line, "Value"))
    };
    assert!(holds("//! Doc.\nuse serde_json::{Map, Value};"), "a planted violation is found");
    let found: Vec<PathBuf> = sources()
        .into_iter()
        .filter(|(path, text)| {
            !HOLD_JSON_VALUES.iter().any(|allowed| path.starts_with(allowed)) && holds(text)
        })
        .map(|(path, _)| path)
        .filter(|path| !path.to_string_lossy().contains("tests"))
        .collect();
    assert_eq!(found, Vec::<PathBuf>::new());
}

#[test]
fn every_module_keeps_its_layer() {
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        complaints.extend(check(&path, &text));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn planted_violations_are_found() {
    let plant = |path: &str, text: &str| check(Path::new(path), &format!("//! Doc.\n{text}"));
    let one = |path: &str, text: &str, expected: &str| {
        assert_eq!(plant(path, text), [expected], "{text}");
    };
    one(
        "clean/clip.rs",
        "use crate::window::Windows;",
        "src/clean/clip.rs:2: `clean` may not import `window`",
    );
    one(
        "clean/clip.rs",
        "use crate::{\n    batch::Rows,\n    feature::{A, B},\n};",
        "src/clean/clip.rs:4: `clean` may not import `feature`",
    );
    one(
        "batch/rows.rs",
        "fn f() -> crate::state::Paged<u8> { todo() }",
        "src/batch/rows.rs:2: `batch` may not import `state`",
    );
    one(
        "window/mod.rs",
        "use std::{collections::BTreeMap, time::Instant};\nfn f() { Instant::now(); }",
        "src/window/mod.rs:3: `window` is pure and may not name `Instant::now`",
    );
    one(
        "decode/json.rs",
        "use tokio::sync::mpsc;",
        "src/decode/json.rs:2: `decode` is pure and may not name `tokio::`",
    );
    one("novelty/mod.rs", "fn f() {}", "src/novelty/mod.rs: module `novelty` is not in the table");
    assert_eq!(
        plant(
            "clean/clip.rs",
            "use crate::{batch::Rows, state::Paged};\n// crate::window is only named"
        ),
        [""; 0]
    );
    assert_eq!(
        check(Path::new("sink/mod.rs"), "use std::fmt;\n"),
        ["src/sink/mod.rs: does not open with a `//!` sentence"]
    );
    let long = "fn f() {}\n".repeat(FILE_LINES_MAX);
    assert_eq!(plant("sink/mod.rs", &long), ["src/sink/mod.rs: 401 lines, at most 400"]);
}

/// Every source file under `src`, path relative to it, in name order.
fn sources() -> Vec<(PathBuf, String)> {
    sources_below("src")
}

fn sources_below(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                files.push((path.strip_prefix(&root).expect("below src").to_owned(), text));
            }
        }
    }
    files.sort();
    assert!(files.len() > 20, "the walk found the sources");
    files
}

/// ARCHITECTURE.md says which test holds what: that test must be there.
#[test]
fn the_invariants_name_tests_that_exist() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let page = fs::read_to_string(path).expect("ARCHITECTURE.md is there");
    let (_, table) = page.split_once("| invariant | held by |").expect("the table is there");
    let (table, _) = table.split_once("\n\n").expect("the table ends");
    let mut sources = sources();
    sources.extend(sources_below("tests"));
    let held_by = table.lines().filter_map(|row| row.rsplit('|').nth(1));
    let mut named = 0;
    for name in held_by.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
        let last = name.rsplit("::").next().expect("a name");
        let (test, module) = (format!("fn {last}("), format!("mod {last};"));
        let found = |text: &str| text.contains(&test) || text.contains(&module);
        let folder = name.starts_with("tests/");
        assert!(folder || sources.iter().any(|(_, text)| found(text)), "no test `{name}`");
        named += 1;
    }
    assert!(named > 20, "{named} tests are named");
}

/// All complaints about one file.
fn check(path: &Path, text: &str) -> Vec<String> {
    let shown = format!("src/{}", path.display());
    let first = path.components().next().expect("a path below src").as_os_str();
    let module = first.to_string_lossy().trim_end_matches(".rs").to_owned();
    let mut complaints = Vec::new();
    // A module of tests alone tells its parent's story.
    let tests =
        path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
    if !text.starts_with("//!") && !tests {
        complaints.push(format!("{shown}: does not open with a `//!` sentence"));
    }
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        complaints.push(format!("{shown}: {lines} lines, at most {FILE_LINES_MAX}"));
    }
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
        complaints.push(format!("{shown}: module `{module}` is not in the table"));
        return complaints;
    };
    let code = without_comments_and_tests(text);
    for (line, imported) in imports(&code) {
        let free = allowed.contains(&"*") || allowed.contains(&imported.as_str());
        if !free && imported != module {
            complaints.push(format!("{shown}:{line}: `{module}` may not import `{imported}`"));
        }
    }
    if PURE.contains(&module.as_str()) {
        complaints.extend(impurities(&code).map(|(line, name)| {
            format!("{shown}:{line}: `{module}` is pure and may not name `{name}`")
        }));
    }
    complaints
}

/// The text with comments blanked and without the test module at its end; lines stay where they are.
fn without_comments_and_tests(text: &str) -> String {
    let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or(text);
    code.lines()
        .map(|line| if line.trim_start().starts_with("//") { "" } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The modules named after `crate::`, also inside braces, with the line of each.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = code.split_at(at + "crate::".len()).1;
        if let Some(group) = rest.strip_prefix('{') {
            let start = at + "crate::{".len();
            found.extend(heads(group).map(|(offset, name)| (line(code, start + offset), name)));
        } else {
            found.push((line(code, at), identifier(rest)));
        }
    }
    found
}

/// The first segment of each path of a brace group, with its offset.
fn heads(group: &str) -> impl Iterator<Item = (usize, String)> {
    let mut depth = 0;
    let mut expecting = true;
    let mut heads = Vec::new();
    for (offset, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expecting = true,
            c if expecting && depth == 0 && !c.is_whitespace() => {
                heads.push((offset, identifier(group.split_at(offset).1)));
                expecting = false;
            }
            _ => {}
        }
    }
    heads.into_iter()
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn line(code: &str, offset: usize) -> usize {
    code.split_at(offset).0.matches('\n').count() + 1
}

/// The first impure name of each line, with the line.
fn impurities(code: &str) -> impl Iterator<Item = (usize, &'static str)> {
    code.lines().enumerate().filter_map(|(i, line)| {
        let name = IMPURE.iter().find(|name| names(line, name))?;
        Some((i + 1, *name))
    })
}

/// True if `name` stands in the line, and not as the tail of a longer word.
fn names(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        !line.split_at(at).0.ends_with(|before: char| before.is_alphanumeric() || before == '_')
    })
}
