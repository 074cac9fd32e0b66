//! BIRD as a sender: static routes, exported to every receiver.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Link, RECEIVER_ASN, SENDER_ASN, Operator, Sender, addresses, extra_address, write};
use crate::{Host, wait};

struct Bird {
    host: Host,
    socket: PathBuf,
    /// The included file that holds the one route that comes and goes.
    extra: PathBuf,
    extra_address: Ipv4Addr,
}

pub(super) fn start(link: &Link, routes: usize) -> Result<Sender> {
    let host = link.host.clone();
    let (file, extra) = (host.file("bird.conf"), host.file("bird-extra.conf"));
    let socket = host.file("bird.ctl");
    write(&extra, "")?;
    write(&file, configuration(link, routes, &extra.display().to_string()))?;
    let mut command = host.command("bird");
    command.arg("-f").arg("-c").arg(&file).arg("-s").arg(&socket);
    command.arg("-P").arg(host.file("bird.pid"));
    let started = Instant::now();
    let process = host.spawn("bird", &mut command)?;
    wait::until("BIRD's control socket", Duration::from_secs(30), || {
        ensure!(socket.exists(), "there is none");
        Ok(())
    })?;
    let extra_address = extra_address(routes);
    let operator = Box::new(Bird { host, socket, extra, extra_address });
    Ok(Sender { process, started, operator })
}

/// The shortest delays that BIRD allows before it connects (again).
fn configuration(link: &Link, routes: usize, extra: &str) -> String {
    let mut text = format!("router id {};\nprotocol device {{}}\n", link.local);
    text.push_str(&statics("routes", addresses(routes)));
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

impl Bird {
    fn configure(&self, extra: &str) -> Result<()> {
        write(&self.extra, extra)?;
        let socket = self.socket.display().to_string();
        let said = self.host.run("birdc", ["-s", &socket, "configure"])?;
        ensure!(said.contains("Reconfigur"), "BIRD refused: {said}");
        Ok(())
    }
}

impl Operator for Bird {
    fn announce(&self) -> Result<()> {
        self.configure(&statics("extra", std::iter::once(self.extra_address)))
    }

    fn withdraw(&self) -> Result<()> {
        self.configure("")
    }
}
