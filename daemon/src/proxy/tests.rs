use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// What comes of asking one that answers with this text, or hangs up.
async fn asked(text: &'static str) -> (Answer, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 1000];
        let length = client.read(&mut request).await.unwrap();
        client.write_all(text.as_bytes()).await.unwrap();
        String::from_utf8(request[..length].to_vec()).unwrap()
    });
    let answer = ask(Vec::new(), NonZeroU16::new(port).unwrap()).await;
    (answer, server.await.unwrap())
}

#[tokio::test]
async fn only_200_says_that_traffic_is_passed_on() {
    for (text, expected) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            Answer::Passes,
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", Answer::Passes),
        (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            Answer::Refuses,
        ),
        ("HTTP/1.1 404 Not Found\r\n\r\n", Answer::Refuses),
        ("SSH-2.0-x\r\n", Answer::Nothing),
        ("", Answer::Nothing),
    ] {
        let (answer, request) = asked(text).await;
        assert_eq!(answer, expected, "{text:?}");
        assert!(
            request.starts_with("GET /healthz HTTP/1.1\r\nhost: 127.0.0.1:"),
            "{request}"
        );
    }
}

#[tokio::test]
async fn nobody_answers_where_nobody_listens_or_one_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = NonZeroU16::new(listener.local_addr().unwrap().port()).unwrap();
    assert_eq!(ask(Vec::new(), port).await, Answer::Nothing);
    drop(listener);
    assert_eq!(
        ask(vec![[127, 0, 0, 2].into()], port).await,
        Answer::Nothing
    );
}

/// In its nftables mode, kube-proxy listens on the first addresses of its node alone.
#[tokio::test]
async fn every_address_of_the_node_is_asked() {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = NonZeroU16::new(listener.local_addr().unwrap().port()).unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        }
    });
    let addresses = [[127, 0, 0, 3], [127, 0, 0, 2]].map(IpAddr::from);
    assert_eq!(ask(addresses.to_vec(), port).await, Answer::Passes);
}
