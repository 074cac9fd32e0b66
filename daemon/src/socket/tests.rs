use std::os::unix::net::UnixListener as StdListener;

use super::*;

#[test]
fn only_a_dead_socket_is_removed_to_make_way() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("carillon.sock");
    make_way(&path).unwrap();
    drop(StdListener::bind(&path).unwrap());
    make_way(&path).unwrap();
    assert!(!path.exists());
    fs::write(&path, "precious").unwrap();
    let error = make_way(&path).unwrap_err().to_string();
    assert!(
        error.contains("no socket") && error.contains("--socket"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}
