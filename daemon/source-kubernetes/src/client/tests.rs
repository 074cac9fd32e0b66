#![expect(clippy::disallowed_methods, reason = "a proxy has tasks")]

use std::path::Path;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A kubeconfig with one cluster, which has this `proxy-url`.
fn access(dir: &Path, proxy: &str) -> Access {
    let cluster = json!({"server": "http://api.invalid:6443", "proxy-url": proxy});
    let context = json!({"cluster": "c", "namespace": "n"});
    let config = json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "contexts": [{"name": "a", "context": context}],
    });
    let file = dir.join("kubeconfig");
    std::fs::write(&file, config.to_string()).unwrap();
    Access {
        kubeconfig: Some(file),
        context: Some("a".to_owned()),
    }
}

async fn error(access: &Access) -> String {
    match connect(access).await {
        Ok(cluster) => panic!("a way to {}", cluster.server),
        Err(error) => format!("{:#}", anyhow::Error::from(error)),
    }
}

#[tokio::test]
async fn the_proxy_of_the_kubeconfig_is_asked_with_its_password() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let access = access(dir.path(), &format!("http://me:secret@{address}"));
    let cluster = connect(&access).await.unwrap();
    assert_eq!(cluster.server, "http://api.invalid:6443");
    let asked = tokio::spawn(async move {
        let request = hyper::Request::get("/api").body(Body::empty()).unwrap();
        cluster.client.send(request).await
    });
    let (mut client, _) = proxy.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(
        head.starts_with("connect api.invalid:6443 http/1.1\r\n"),
        "{head}"
    );
    // Base64 of "me:secret".
    assert!(
        head.contains("proxy-authorization: basic bwu6c2vjcmv0\r\n"),
        "{head}"
    );
    let answer = "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    let (tunnel, reply) = answer.split_at(19);
    client.write_all(tunnel.as_bytes()).await.unwrap();
    let mut request = [0; 4];
    client.read_exact(&mut request).await.unwrap();
    assert_eq!(&request, b"GET ");
    client.write_all(reply.as_bytes()).await.unwrap();
    assert_eq!(asked.await.unwrap().unwrap().status(), 204);
}

#[tokio::test]
async fn what_cannot_be_used_is_told_with_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Access {
        kubeconfig: Some(dir.path().join("missing")),
        context: None,
    };
    let text = error(&missing).await;
    let file = dir.path().join("missing").display().to_string();
    assert!(
        text.contains(&file) && text.contains("No such file"),
        "{text}"
    );

    let text = error(&access(dir.path(), "ftp://proxy")).await;
    assert!(text.contains("proxy"), "{text}");

    let mut unknown = access(dir.path(), "");
    unknown.context = Some("b".to_owned());
    let text = error(&unknown).await;
    assert!(text.contains("kubeconfig") && text.contains('b'), "{text}");
}

#[tokio::test]
async fn a_password_of_a_proxy_is_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let error = error(&access(dir.path(), "http://me:sec ret@proxy:3128")).await;
    assert!(
        error.contains("@proxy:3128") && !error.contains("sec ret"),
        "{error}"
    );
}
