use super::*;

#[test]
fn a_second_daemon_of_one_node_is_refused_until_the_first_has_ended() {
    let first = only_one("test-of-one-node").unwrap();
    let refused = only_one("test-of-one-node").unwrap_err().to_string();
    assert!(
        refused.contains("test-of-one-node") && refused.contains("--node-name"),
        "{refused}"
    );
    let _other = only_one("test-of-another-node").unwrap();
    drop(first);
    let _again = only_one("test-of-one-node").unwrap();
}

#[test]
fn a_name_that_no_node_can_have_is_refused() {
    let long = "n".repeat(300);
    let error = only_one(&long).unwrap_err().to_string();
    assert!(error.contains("too long"), "{error}");
}
