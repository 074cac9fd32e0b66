//! What people get wrong: one clear message that names the place and the remedy, and everything
//! that is right keeps working.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Result, ensure};
use carillon_lab::{Carillon, Frr, Host, Lab, Process, binary, test, wait};

use crate::manifest::{POOL, config, peer, served};
use crate::scripted::Listener;
use crate::site::{SOON, Site, await_status, await_table, connections, frr_config, v4};

/// What is wrong, the file, and the essential words of the message.
type Refused = (&'static str, String, &'static [&'static str]);

const GOOD: &str = "{my-asn: 64512, peer-asn: 64512, peer-address: 192.0.2.1}";

/// Configurations with peers that are refused.
fn refused_peers() -> Vec<Refused> {
    let peers = |peers: &[&str]| config(peers, &[POOL]);
    let with = |more: &str| peers(&[GOOD, &GOOD.replace('}', more)]);
    vec![
        ("broken YAML", peers(&["{my-asn: ["]), &["config.yaml:"]),
        (
            "an unknown key",
            with(", hold-tine: 90s}"),
            &["config.yaml:8:", "peers[1]", "hold-tine", "hold-time"],
        ),
        (
            "AS 0",
            peers(&[&GOOD.replace("my-asn: 64512", "my-asn: 0")]),
            &["config.yaml:7:", "peers[0].my-asn", "0", "1"],
        ),
        (
            "a missing AS",
            peers(&[&GOOD.replace("peer-asn: 64512,", "")]),
            &["config.yaml:7:", "peers[0].peer-asn", "missing"],
        ),
        (
            "a hold time of 1 s",
            with(", hold-time: 1s}"),
            &["config.yaml:8:", "peers[1].hold-time", "1s", "3"],
        ),
        (
            "duplicate peers",
            with("}"),
            &["config.yaml:8:", "peers[1]", "line 7"],
        ),
        (
            "BFD",
            with(", bfd-profile: fast}"),
            &["config.yaml:8:", "peers[1].bfd-profile", "fast"],
        ),
    ]
}

/// Configurations with pools that are refused.
fn refused_pools() -> Vec<Refused> {
    let with = |from: &str, to: &str| config(&[GOOD], &[&POOL.replace(from, to)]);
    let other = "{name: other, protocol: bgp, addresses: [198.51.100.7/32]}";
    vec![
        (
            "a bad CIDR",
            with("/24", "/33"),
            &[
                "config.yaml:9:",
                "address-pools[0].addresses[0]",
                "198.51.100.0/33",
                "32",
            ],
        ),
        (
            "an address without a length",
            with("0/24", "1"),
            &["config.yaml:9:", "198.51.100.1", "/"],
        ),
        (
            "overlapping pools",
            config(&[GOOD], &[POOL, other]),
            &[
                "config.yaml:10:",
                "198.51.100.7/32",
                "198.51.100.0/24",
                "pool",
            ],
        ),
        (
            "an unknown protocol",
            with("bgp", "ospf"),
            &["config.yaml:9:", "address-pools[0].protocol", "ospf", "bgp"],
        ),
        (
            "a protocol of the other family",
            with("bgp", "ndp"),
            &[
                "config.yaml:9:",
                "address-pools[0].addresses[0]",
                "ndp announces no IPv4 addresses",
                "write layer2",
            ],
        ),
    ]
}

fn refused() -> impl Iterator<Item = Refused> {
    refused_peers().into_iter().chain(refused_pools())
}

#[test]
fn a_refused_configuration_is_explained_and_the_last_good_one_stays() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
        site.files.serve("web")?;
        let node = site.node("alpha", 11)?;
        await_table(&router, &[("198.51.100.0/32", &[11])])?;
        let before = connections(&router)?;
        for (name, text, words) in refused() {
            site.files.write("config.yaml", &text)?;
            let status = await_status(&node, words).map_err(|error| error.context(name))?;
            ensure!(status.contains("Established"), "{name}: {status}");
            ensure!(status.contains("198.51.100.0"), "{name}: {status}");
        }
        await_table(&router, &[("198.51.100.0/32", &[11])])?;
        assert_eq!(connections(&router)?, before);
        site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
        site.files.serve("api")?;
        await_table(
            &router,
            &[("198.51.100.0/32", &[11]), ("198.51.100.1/32", &[11])],
        )
    });
}

#[test]
fn check_refuses_what_run_refuses_in_the_same_words() {
    test(|lab| {
        let site = Site::new(lab)?;
        let host = site.host("helper", 1)?;
        let check = |name: &str| -> Result<Output> {
            let file = site.files.dir().join(name);
            Ok(host.command(binary()?).arg("check").arg(file).output()?)
        };
        for (name, text, words) in refused() {
            site.files.write("config.yaml", &text)?;
            let output = check("config.yaml")?;
            let said = String::from_utf8(output.stderr)?;
            assert_eq!(output.status.code(), Some(1), "{name}: {said}");
            for word in words {
                ensure!(said.contains(word), "{name}: no {word:?} in: {said}");
            }
        }
        site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
        assert_eq!(check("config.yaml")?.status.code(), Some(0));
        assert_eq!(check("missing.yaml")?.status.code(), Some(1));
        Ok(())
    });
}

#[test]
fn without_a_configuration_it_says_which_one_it_waits_for() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        site.files.serve("web")?;
        let node = site.node("alpha", 11)?;
        await_status(
            &node,
            &["ConfigMap", "metallb-system/config", "default/web"],
        )?;
        site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
        await_table(&router, &[("198.51.100.0/32", &[11])])
    });
}

#[test]
fn a_missing_directory_is_named_and_read_when_it_appears() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        let dir = lab.dir().join("later");
        let node = Carillon::start(&site.host("alpha", 11)?, "alpha", &dir)?;
        let place = dir.display().to_string();
        await_status(&node, &[&place, "create it"])?;
        site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
        site.files.serve("web")?;
        fs::rename(site.files.dir(), &dir)?;
        await_table(&router, &[("198.51.100.0/32", &[11])])?;
        // And away again: nothing is withdrawn because of it.
        fs::rename(&dir, site.files.dir())?;
        await_status(&node, &[&place, "create it"])?;
        await_table(&router, &[("198.51.100.0/32", &[11])])
    });
}

/// Starts a daemon as another user, or with other paths, without waiting for it to answer.
fn run(host: &Host, user: &[&str], node: &str, files: &Path, socket: &Path) -> Result<Process> {
    let mut words: Vec<_> = user.iter().map(Into::into).collect();
    words.push(binary()?.into_os_string());
    words.extend(["run", "--node-name", node, "--files"].map(Into::into));
    words.extend([files.into(), "--socket".into(), socket.into()]);
    let mut command = host.command(words.remove(0));
    host.spawn("daemon", command.args(words))
}

/// Waits for a daemon that cannot start, and returns what it said.
fn await_failure(mut daemon: Process) -> Result<String> {
    let status = daemon.await_exit(SOON)?;
    let said = daemon.log()?;
    ensure!(status.code() == Some(1), "{status}: {said}");
    Ok(said)
}

/// A directory that belongs to nobody, for the socket.
fn nobodys_directory(lab: &Lab) -> Result<PathBuf> {
    let directory = lab.dir().join("nobody");
    fs::create_dir(&directory)?;
    chown(&directory, Some(65534), Some(65534))?;
    Ok(directory)
}

/// The words that run a command as nobody.
const NOBODY: &[&str] = &[
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
];

#[test]
fn a_second_daemon_on_one_socket_is_refused_and_the_first_goes_on() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
        let host = site.host("alpha", 11)?;
        let node = Carillon::start(&host, "alpha", site.files.dir())?;
        router.await_established(v4(11))?;
        let before = connections(&router)?;
        let said = await_failure(run(&host, &[], "other", site.files.dir(), node.socket())?)?;
        let socket = node.socket().display().to_string();
        for word in [&*socket, "--socket"] {
            ensure!(said.contains(word), "no {word:?} in: {said}");
        }
        site.files.serve("web")?;
        await_table(&router, &[("198.51.100.0/32", &[11])])?;
        node.status()?;
        assert_eq!(connections(&router)?, before);
        Ok(())
    });
}

#[test]
fn a_second_daemon_for_one_node_is_refused_and_the_first_goes_on() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
        let host = site.host("alpha", 11)?;
        let _node = Carillon::start(&host, "alpha", site.files.dir())?;
        router.await_established(v4(11))?;
        let before = connections(&router)?;
        let socket = lab.dir().join("second.sock");
        let said = await_failure(run(&host, &[], "alpha", site.files.dir(), &socket)?)?;
        for word in ["\"alpha\"", "--node-name"] {
            ensure!(said.contains(word), "no {word:?} in: {said}");
        }
        site.files.serve("web")?;
        await_table(&router, &[("198.51.100.0/32", &[11])])?;
        assert_eq!(connections(&router)?, before);
        Ok(())
    });
}

#[test]
fn the_socket_of_a_killed_daemon_is_no_obstacle() {
    test(|lab| {
        let site = Site::new(lab)?;
        let mut node = site.node("alpha", 11)?;
        node.process.kill()?;
        ensure!(
            node.socket().exists(),
            "it cleaned up although it was killed"
        );
        node.restart()
    });
}

#[test]
fn it_needs_no_privileges() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        site.files.configure(
            &["{my-asn: 64512, peer-asn: 64512, peer-address: 192.0.2.1, password: secret}"],
            &[POOL],
        )?;
        router.configure("router bgp 64512\n neighbor 192.0.2.11 password secret\n")?;
        site.files.serve("web")?;
        let host = site.host("alpha", 11)?;
        let sockets = nobodys_directory(lab)?;
        // The directory of the files is root's: the daemon cannot keep its journal there.
        let _daemon = run(
            &host,
            NOBODY,
            "alpha",
            site.files.dir(),
            &sockets.join("socket"),
        )?;
        await_table(&router, &[("198.51.100.0/32", &[11])])?;
        let mut status = host.command(binary()?);
        let status = status
            .arg("status")
            .arg("--socket")
            .arg(sockets.join("socket"))
            .output()?;
        let status = String::from_utf8(status.stdout)?;
        for word in ["may get other addresses", "--state"] {
            ensure!(status.contains(word), "no {word:?} in: {status}");
        }
        Ok(())
    });
}

#[test]
fn who_may_not_make_the_socket_is_told_so() {
    test(|lab| {
        let site = Site::new(lab)?;
        let host = site.host("alpha", 11)?;
        let socket = lab.dir().join("roots-own.sock");
        let said = await_failure(run(&host, NOBODY, "alpha", site.files.dir(), &socket)?)?;
        let place = socket.display().to_string();
        for word in [&*place, "ermission denied", "--socket"] {
            ensure!(said.contains(word), "no {word:?} in: {said}");
        }
        Ok(())
    });
}

#[test]
fn an_unreadable_file_is_named_and_the_others_count() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
        site.files.serve("web")?;
        site.files.serve("secret")?;
        let secret = site.files.dir().join("secret.yaml");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
        fs::write(site.files.dir().join("binary.yaml"), [0xff, 0xfe, 0, 1])?;
        fs::create_dir(site.files.dir().join("directory.yaml"))?;
        let host = site.host("alpha", 11)?;
        let sockets = nobodys_directory(lab)?;
        let daemon = run(
            &host,
            NOBODY,
            "alpha",
            site.files.dir(),
            &sockets.join("socket"),
        )?;
        await_table(&router, &[("198.51.100.0/32", &[11])])?;
        let log = daemon.log()?;
        for word in [
            "secret.yaml",
            "ermission denied",
            "binary.yaml",
            "directory.yaml",
        ] {
            ensure!(log.contains(word), "no {word:?} in: {log}");
        }
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o644))?;
        await_table(
            &router,
            &[("198.51.100.0/32", &[11]), ("198.51.100.1/32", &[11])],
        )
    });
}

#[test]
fn an_unreadable_directory_is_named_and_read_when_it_is_opened() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        site.files.configure(&[&peer("192.0.2.1")], &[POOL])?;
        site.files.serve("web")?;
        let mode = |mode| fs::set_permissions(site.files.dir(), fs::Permissions::from_mode(mode));
        mode(0o700)?;
        let sockets = nobodys_directory(lab)?;
        let host = site.host("alpha", 11)?;
        let socket = sockets.join("socket");
        let daemon = run(&host, NOBODY, "alpha", site.files.dir(), &socket)?;
        let place = site.files.dir().display().to_string();
        wait::until("the daemon to complain", SOON, || {
            let log = daemon.log()?;
            let clear = log.contains(&place) && log.contains("the right to read it");
            ensure!(clear, "{log}");
            Ok(())
        })?;
        mode(0o755)?;
        await_table(&router, &[("198.51.100.0/32", &[11])])
    });
}

#[test]
fn status_says_why_each_peer_is_not_there() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        let stranger = Frr::start(
            &site.host("stranger", 2)?,
            &frr_config(64999, &[(v4(11), 64512)]),
        )?;
        let suspicious = Frr::start(
            &site.host("suspicious", 3)?,
            &frr_config(64512, &[(v4(11), 64998)]),
        )?;
        let web = Listener::bind(&site.host("web", 4)?, (v4(4), 80).into())?;
        site.host("closed", 5)?;
        let peers: Vec<String> = [
            "192.0.2.1",
            "192.0.2.2",
            "192.0.2.3",
            "192.0.2.4, peer-port: 80",
            "192.0.2.5",
            "192.0.2.6",
            "203.0.113.1",
        ]
        .iter()
        .map(|address| format!("{{my-asn: 64512, peer-asn: 64512, peer-address: {address}}}"))
        .collect();
        let peers: Vec<&str> = peers.iter().map(String::as_str).collect();
        site.files.configure(&peers, &[POOL])?;
        site.files.serve("web")?;
        let node = site.node("alpha", 11)?;
        let mut session = web.accept()?;
        session.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        let words = [
            "the router says it is AS 64999, the configuration says AS 64512",
            "it expects another AS number of this node than 64512",
            "does not speak BGP",
            "nothing listens on 192.0.2.5:179",
            "no route to 192.0.2.6:179",
            "no route to 203.0.113.1:179",
        ];
        await_table(&router, &[("198.51.100.0/32", &[11])])?;
        let before = connections(&router)?;
        await_status(&node, &words)?;
        assert_eq!(connections(&router)?, before);
        for router in [&stranger, &suspicious] {
            assert_eq!(connections(router)?, [(v4(11), (0, 0))].into());
        }
        Ok(())
    });
}

#[test]
fn a_service_that_cannot_have_an_address_is_told_why() {
    test(|lab| {
        let site = Site::new(lab)?;
        let router = site.router("router", 1, &[v4(11)])?;
        let small = "{name: small, protocol: bgp, addresses: [203.0.113.1/32]}";
        site.files.configure(&[&peer("192.0.2.1")], &[small])?;
        site.files.serve("web")?;
        let node = site.node("alpha", 11)?;
        await_table(&router, &[("203.0.113.1/32", &[11])])?;
        for (name, more, words) in [
            ("full", "", &["default/full", "no available"][..]),
            (
                "none",
                "loadBalancerIP: nonsense",
                &["default/none", "nonsense"],
            ),
            (
                "other",
                "loadBalancerIP: 10.9.9.9",
                &["default/other", "10.9.9.9"],
            ),
            (
                "class",
                "loadBalancerClass: other.io/lb",
                &["default/class", "other.io/lb"],
            ),
        ] {
            site.files
                .write(&format!("{name}.yaml"), &served(name, more))?;
            await_status(&node, words)?;
        }
        await_table(&router, &[("203.0.113.1/32", &[11])])
    });
}
