//! Cases that are folders: adding a test needs no Rust.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The folders under `tests/golden/<kind>`, in name order.
pub(crate) fn cases(kind: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(kind);
    let entries = fs::read_dir(&root).expect("the golden folder is readable");
    let mut cases: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

/// Compares with the file, or writes it when `MILLSTREAM_BLESS` is set.
#[expect(clippy::disallowed_methods, reason = "blessing is asked for by the environment")]
pub(crate) fn assert_golden(path: &Path, actual: &[u8]) {
    if env::var("MILLSTREAM_BLESS").is_ok() {
        fs::write(path, actual).expect("the golden file can be written");
        return;
    }
    let expected = fs::read(path).unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let hint = "MILLSTREAM_BLESS=1 accepts the new text";
    assert_eq!(text(&expected), text(actual), "{}: {hint}", path.display());
}
