use std::fs;

use super::*;

#[test]
fn a_file_that_is_wrong_leaves_what_was_right() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("excludel2.yaml");
    let mut excluded = Excluded::default();
    excluded.read(&file);
    assert_eq!(
        excluded,
        Excluded::default(),
        "no file is MetalLB's own list"
    );

    fs::write(&file, "announcedInterfacesToExclude: ['^eth9$']").unwrap();
    excluded.read(&file);
    assert_eq!(excluded.exclusion.matching("eth9"), Some("^eth9$"));
    assert_eq!(
        (excluded.exclusion.matching("docker0"), &excluded.problem),
        (None, &None)
    );

    fs::write(&file, "announcedInterfacesToExclude: ['(']").unwrap();
    excluded.read(&file);
    let problem = excluded.problem.clone().unwrap();
    assert!(
        problem.contains("excludel2.yaml: announcedInterfacesToExclude[0]"),
        "{problem}"
    );
    assert_eq!(excluded.exclusion.matching("eth9"), Some("^eth9$"));
}
