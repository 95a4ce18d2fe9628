//! What becomes of a running pipeline's state when another file takes its place.

use super::Definition;
use std::fmt;

/// The change from one definition to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    same_pipeline: bool,
    same_definition: bool,
    same_state: bool,
    /// What decides the state in both, only in the new and only in the running one.
    unchanged: Vec<String>,
    added: Vec<String>,
    removed: Vec<String>,
}

impl Change {
    /// What changes when `new` takes the place of `running`.
    pub fn between(running: &Definition, new: &Definition) -> Self {
        let (before, mut added) = (parts(running), parts(new));
        let (mut unchanged, mut removed) = (Vec::new(), Vec::new());
        for part in before {
            match added.iter().position(|other| *other == part) {
                Some(index) => unchanged.push(added.remove(index)),
                None => removed.push(part),
            }
        }
        Self {
            same_pipeline: running.spec().pipeline == new.spec().pipeline,
            same_definition: running.hash() == new.hash(),
            same_state: running.state_hash() == new.state_hash(),
            unchanged,
            added,
            removed,
        }
    }

    /// True if instances can be replaced one by one, each taking the state over as it is.
    pub fn keeps_state(&self) -> bool {
        self.same_pipeline && self.same_state
    }
}

/// What decides the state, a line each; what is kept per key is marked.
fn parts(definition: &Definition) -> Vec<String> {
    let parted = definition.state_text().lines().map(|line| {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        let value = value.replace('"', "").replace('\u{1f}', ", ");
        format!("{name}: {value}")
    });
    parted.collect()
}

/// Parts that keep something about keys.
fn is_kept(part: &str) -> bool {
    part.starts_with("clean: ") || part.starts_with("windows: ")
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.same_pipeline {
            writeln!(
                f,
                "another pipeline: it has a group and snapshots of its own, and begins empty"
            )?;
            return write!(f, "lost: nothing, the running one keeps its state");
        }
        if self.same_definition {
            return write!(f, "the same definition: nothing changes");
        }
        if self.same_state {
            writeln!(f, "kept: all state; features, output or limits of vectors change")?;
            return write!(f, "roll it out instance by instance");
        }
        writeln!(f, "kept: nothing as it is; the state hash changes")?;
        list(f, "changed", self.removed.iter().filter(|part| !is_kept(part)), "was ")?;
        list(f, "changed", self.added.iter().filter(|part| !is_kept(part)), "now ")?;
        let rebuilt = self.unchanged.iter().chain(&self.added);
        list(f, "rebuilt from the log", rebuilt.filter(|part| is_kept(part)), "")?;
        list(f, "lost", self.removed.iter().filter(|part| is_kept(part)), "")?;
        write!(
            f,
            "stop all instances, then start them with `run --migrate`: every partition is folded \
             again from its first offset, which the log must still have"
        )
    }
}

fn list<'p>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    parts: impl Iterator<Item = &'p String>,
    mark: &str,
) -> fmt::Result {
    for part in parts {
        writeln!(f, "{title}: {mark}{part}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Overrides;
    use std::path::Path;

    /// The change from the card pipeline to what `edit` makes of it.
    fn change(edit: impl FnOnce(String) -> String) -> Change {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/pipelines");
        let directory = tempfile::tempdir().unwrap();
        let schema = "card-transaction.schema.json";
        std::fs::copy(source.join(schema), directory.path().join(schema)).unwrap();
        let text = std::fs::read_to_string(source.join("card-features.yaml")).unwrap();
        let file = directory.path().join("new.yaml");
        std::fs::write(&file, edit(text)).unwrap();
        let load = |path: &Path| Definition::load(path, Overrides::default()).unwrap();
        Change::between(&load(&source.join("card-features.yaml")), &load(&file))
    }

    #[test]
    fn features_alone_keep_the_state() {
        assert_eq!(change(|text| text).to_string(), "the same definition: nothing changes");
        let other =
            change(|text| text.replacen("format: json, carry", "format: json_array, carry", 1));
        assert!(other.keeps_state());
        assert!(other.to_string().starts_with("kept: all state"), "{other}");
    }

    #[test]
    fn another_window_is_rebuilt_and_one_that_goes_is_lost() {
        let other = change(|text| text.replacen("lateness: 5s", "lateness: 6s", 1));
        assert!(!other.keeps_state());
        let said = other.to_string();
        assert!(said.contains("changed: was lateness: 5000000"), "{said}");
        assert!(said.contains("changed: now lateness: 6000000"), "{said}");
        assert!(
            said.contains("rebuilt from the log: windows: ") && !said.contains("lost:"),
            "{said}"
        );
        let pipeline = change(|text| text.replacen("pipeline: ", "pipeline: other-", 1));
        assert!(pipeline.to_string().starts_with("another pipeline"));
    }
}
