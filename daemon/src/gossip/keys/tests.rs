use std::fs;

use super::*;

const ONE: &str = "0123456789abcdef";
const TWO: &str = "fedcba9876543210";

#[test]
fn a_secret_is_read_again_when_it_changes_and_kept_when_it_is_none_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let missing = KeyFile::read(path.clone()).err().unwrap();
    assert!(
        format!("{missing:#}").contains(&*path.to_string_lossy()),
        "{missing:#}"
    );

    fs::write(&path, format!("\n  {ONE}\n")).unwrap();
    let (mut file, _) = KeyFile::read(path.clone()).unwrap();
    assert!(file.reread().is_none(), "it is the same");
    fs::write(&path, format!("{ONE}\n{TWO}\n")).unwrap();
    assert!(file.reread().is_some());
    assert!(file.reread().is_none());
    for wrong in ["short", ""] {
        fs::write(&path, wrong).unwrap();
        assert!(file.reread().is_none(), "{wrong:?}");
    }
    fs::write(&path, TWO).unwrap();
    assert!(file.reread().is_some());
}

#[test]
fn a_secret_that_is_too_short_says_what_would_be_right() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, "secret").unwrap();
    let error = format!("{:#}", KeyFile::read(path).err().unwrap());
    assert!(error.contains("key") && error.contains("16"), "{error}");
}
