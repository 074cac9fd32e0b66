//! BIRD as a sender: static routes, exported to every receiver.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::{Link, Operator, RECEIVER_ASN, SENDER_ASN, Sender, addresses, extra_address, write};
use crate::Bird;

struct Operated {
    bird: Bird,
    /// The included file that holds the one route that comes and goes.
    extra: PathBuf,
    extra_address: Ipv4Addr,
}

pub(super) fn start(link: &Link, routes: usize) -> Result<Sender> {
    let extra = link.host.file("bird-extra.conf");
    write(&extra, "")?;
    let configuration = configuration(link, routes, &extra.display().to_string());
    let started = Instant::now();
    let bird = Bird::start(&link.host, &configuration)?;
    let pid = bird.process.id();
    let extra_address = extra_address(routes);
    let operator = Box::new(Operated {
        bird,
        extra,
        extra_address,
    });
    Ok(Sender {
        pid,
        started,
        operator,
    })
}

/// The shortest delays that BIRD allows before it connects (again).
fn configuration(link: &Link, routes: usize, extra: &str) -> String {
    let mut text = format!("router id {};\nprotocol device {{}}\n", link.local);
    text.push_str(&statics("services", addresses(routes)));
    for (number, receiver) in link.receivers.iter().enumerate() {
        let _ = write!(
            text,
            "protocol bgp receiver{number} {{
                local {} as {SENDER_ASN};
                neighbor {receiver} as {RECEIVER_ASN};
                connect delay time 1;
                connect retry time 1;
                error wait time 1, 1;
                ipv4 {{ import none; export all; }};
            }}\n",
            link.local
        );
    }
    let _ = writeln!(text, "include \"{extra}\";");
    text
}

fn statics(name: &str, addresses: impl Iterator<Item = Ipv4Addr>) -> String {
    let mut text = format!("protocol static {name} {{ ipv4;\n");
    for address in addresses {
        let _ = writeln!(text, "route {address}/32 blackhole;");
    }
    text + "}\n"
}

impl Operated {
    fn configure(&self, extra: &str) -> Result<()> {
        write(&self.extra, extra)?;
        let answer = self.bird.birdc("configure")?;
        ensure!(answer.contains("Reconfig"), "bird refused: {answer}");
        Ok(())
    }
}

impl Operator for Operated {
    fn announce(&self) -> Result<()> {
        self.configure(&statics("extra", std::iter::once(self.extra_address)))
    }

    fn withdraw(&self) -> Result<()> {
        self.configure("")
    }

    fn reset(&self) -> Result<()> {
        self.bird.birdc("restart \"receiver*\"").map(drop)
    }
}
