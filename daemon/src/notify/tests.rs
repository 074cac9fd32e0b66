use super::*;

fn told(listener: &UnixDatagram) -> String {
    let mut buffer = [0; 64];
    let length = listener.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[test]
fn a_manager_is_told_on_a_path_or_an_abstract_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let name = format!("carillon-test-of-notices-{}", std::process::id());
    let hidden = SocketAddr::from_abstract_name(&name).unwrap();
    for (listener, name) in [
        (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
        (
            UnixDatagram::bind_addr(&hidden).unwrap(),
            format!("@{name}").into(),
        ),
    ] {
        let notifier = Notifier::to(&name).unwrap();
        for (notice, text) in [
            (Notice::Ready, "READY=1"),
            (Notice::Alive, "WATCHDOG=1"),
            (Notice::Stopping, "STOPPING=1"),
        ] {
            notifier.tell(notice);
            assert_eq!(told(&listener), text);
        }
        // One that does not read, or is gone, keeps nobody waiting.
        for _ in 0..10_000 {
            notifier.tell(Notice::Alive);
        }
        drop(listener);
        notifier.tell(Notice::Alive);
    }
    Notifier::default().tell(Notice::Ready);
}
