use std::fs;
use std::time::Duration;

use clap::Parser as _;
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::cli::{Cli, Command};
use crate::notify::Notifier;
use crate::pulse::Heart;

const SECRET_TEXT: &str = "a secret of more than sixteen bytes";

fn args(key_file: &std::path::Path) -> GossipArgs {
    let file = key_file.to_str().unwrap();
    let bind = ["--gossip-bind", "127.0.0.1:0"];
    let key = ["--gossip-key-file", file];
    let arguments = [&["carillon", "run", "--kubernetes"][..], &bind, &key].concat();
    match Cli::try_parse_from(arguments).unwrap().command {
        Command::Run(run) => run.gossip,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_created_later_is_waited_for() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("key");
    let (_heart, _asked, pulse) = Heart::new(Notifier::default());
    let mut arrivals = spawn_when_ready(args(&file), "metallb-system".to_owned(), pulse);
    let mut next = async || {
        timeout(Duration::from_secs(60), arrivals.recv())
            .await
            .unwrap()
    };
    for _ in 0..3 {
        let error = next().await.unwrap().err().unwrap().to_string();
        let command = "kubectl create secret generic carillon-gossip -n metallb-system \
                       --from-literal=key=\"$(openssl rand -base64 32)\"";
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        assert!(error.contains(command), "{error}");
    }
    // One that is there is not to be created.
    fs::write(&file, "short").unwrap();
    let mut error = next().await.unwrap().err().unwrap().to_string();
    if error.contains("kubectl") {
        error = next().await.unwrap().err().unwrap().to_string();
    }
    assert!(
        error.contains("16") && !error.contains("kubectl"),
        "{error}"
    );

    fs::write(&file, SECRET_TEXT).unwrap();
    let gossip = match next().await.unwrap() {
        Ok(gossip) => gossip,
        Err(_) => next().await.unwrap().unwrap(),
    };
    assert_ne!(gossip.me.address.port(), 0);
    // It is there, once.
    assert!(next().await.is_none());
}

#[test]
fn a_loopback_address_is_of_no_use_to_others() {
    let mut args = args(std::path::Path::new("/nowhere"));
    let unspecified = SocketAddr::from(([0, 0, 0, 0], PORT));
    // The name of this node may be in its hosts file with such an address.
    args.join = vec!["127.0.1.1:7480".to_owned(), "localhost:7480".to_owned()];
    let error = advertised(&args, unspecified).unwrap_err().to_string();
    assert!(error.contains("--gossip-advertise"), "{error}");
    assert!(error.contains("127.0.1.1:7480, localhost:7480"), "{error}");
    let own = SocketAddr::from(([192, 0, 2, 11], PORT));
    assert_eq!(advertised(&args, own).unwrap(), own);
    args.gossip_advertise = Some(own);
    assert_eq!(advertised(&args, unspecified).unwrap(), own);
}
