//! Secrets: never written out in a settings file, read from the file or the environment variable
//! that it names.

use crate::registry::{Node, Position, Problem};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Where secrets come from.
pub(super) struct Sources<'a> {
    /// All variables of the environment.
    pub(super) environment: &'a BTreeMap<String, String>,
    /// What the daemon should say at start.
    pub(super) warnings: &'a mut Vec<String>,
}

impl Sources<'_> {
    /// The secret whose source `value` names: `{ file: PATH }` or `{ env: NAME }`.
    pub(super) fn read(&mut self, at: Position, value: &Node) -> Result<String, Problem> {
        let expected = "exactly one of `file: PATH` and `env: NAME`";
        let wrong = || Problem::new(at, "not the source of a secret").expected(expected);
        let [(source, source_at, name)] = value.as_map().ok_or_else(wrong)? else {
            return Err(wrong());
        };
        let name = name.as_str().ok_or_else(wrong)?;
        let secret = match source.as_str() {
            "file" => self.file(name, at)?,
            "env" => self.environment.get(name).cloned().ok_or_else(|| {
                Problem::new(at, format!("environment variable {name} is not set or not UTF-8"))
            })?,
            _ => {
                let problem = Problem::new(*source_at, format!("unknown key `{source}`"));
                return Err(problem.expected_one_of(source, ["file", "env"]));
            }
        };
        if secret.is_empty() {
            return Err(Problem::new(at, format!("the secret in {source} {name} is empty")));
        }
        Ok(secret)
    }

    fn file(&mut self, path: &str, at: Position) -> Result<String, Problem> {
        let failed = |error| Problem::new(at, format!("cannot read {path}: {error}"));
        let text = fs::read_to_string(path).map_err(failed)?;
        if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o007 != 0 {
            self.warnings.push(format!("secret file {path} is open to every user of the machine"));
        }
        // Editors and `echo` end a file with a newline that no password has.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
    }
}
