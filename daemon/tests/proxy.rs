//! The proxy variables of the environment.
#![cfg(feature = "kubernetes")]
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

const KUBECONFIG: &str = "\
{apiVersion: v1, kind: Config, current-context: a,
clusters: [{name: c, cluster: {server: 'https://api.invalid:6443'}}],
contexts: [{name: a, context: {cluster: c}}]}
";

/// `carillon check` of a cluster that only this proxy would find.
fn check(proxy: &TcpListener) -> (Command, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let kubeconfig = dir.path().join("kubeconfig");
    std::fs::write(&kubeconfig, KUBECONFIG).unwrap();
    let mut check = Command::new(env!("CARGO_BIN_EXE_carillon"));
    check.args(["check", "--from-cluster", "--kubeconfig"]);
    check.arg(kubeconfig);
    for variable in ["ALL_PROXY", "HTTP_PROXY", "NO_PROXY", "HTTPS_PROXY"] {
        check
            .env_remove(variable)
            .env_remove(variable.to_lowercase());
    }
    let address = proxy.local_addr().unwrap();
    check.env("HTTPS_PROXY", format!("http://{address}"));
    check.stdout(Stdio::null()).stderr(Stdio::piped());
    (check, dir)
}

#[test]
fn the_proxy_is_asked_for_the_api_server() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut check, _dir) = check(&proxy);
    let mut check = check.spawn().unwrap();
    let (client, _) = proxy.accept().unwrap();
    let mut first = String::new();
    BufReader::new(client).read_line(&mut first).unwrap();
    check.kill().unwrap();
    check.wait().unwrap();
    assert_eq!(first, "CONNECT api.invalid:6443 HTTP/1.1\r\n");
}

#[test]
fn the_proxy_is_not_asked_for_what_is_excepted() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let (mut check, _dir) = check(&proxy);
    let output = check
        .env("NO_PROXY", "10.0.0.0/8,.invalid")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("https://api.invalid:6443 cannot be reached"),
        "{said}"
    );
    assert!(proxy.accept().is_err(), "the proxy was asked");
}
