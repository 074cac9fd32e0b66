//! A web server that says who answered.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Answers every request (HTTP/1.0) with `Hello!`, `name` and the address that it was sent to, for
/// ever. A client that says nothing, be it that its connection was lost, keeps no other waiting.
///
/// In a lab: `let listener = pod.enter(|| TcpListener::bind("10.254.0.66:80"))??;` and then this on
/// a thread.
pub fn serve(listener: &TcpListener, name: &str) -> io::Result<()> {
    for client in listener.incoming() {
        let name = name.to_owned();
        // A client that goes away or says nothing is its own problem.
        let answered = move || client.and_then(|client| answer(client, &name));
        let _ = thread::Builder::new().spawn(answered);
    }
    Ok(())
}

fn answer(mut client: TcpStream, name: &str) -> io::Result<()> {
    let body = format!("Hello!<br>{name}<br>{}\n", client.local_addr()?.ip());
    client.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut request = [0; 4096];
    let mut length = 0;
    while let Some(rest) = request.get_mut(length..).filter(|rest| !rest.is_empty()) {
        let read = client.read(rest)?;
        length += read;
        let end = request
            .get(..length)
            .is_some_and(|text| text.ends_with(b"\r\n\r\n"));
        if read == 0 || end {
            break;
        }
    }
    let length = body.len();
    let head =
        format!("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n");
    write!(client, "{head}Connection: close\r\n\r\n{body}")
}
