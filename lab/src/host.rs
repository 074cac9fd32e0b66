//! A host or router: a network namespace with interfaces, addresses and routes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns};

use crate::capture::Capture;
use crate::lab::{Lab, NETNS};
use crate::process::{Process, command, output};
use crate::route::{self, Family, KernelRoutes};
use crate::wait;

/// Kernel settings of every host: addresses are usable at once (no duplicate address detection),
/// nothing comes from router advertisements, and asymmetric paths are not dropped.
const SYSCTLS: [(&str, &str); 8] = [
    ("net.ipv6.conf.all.accept_dad", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv6.conf.all.accept_ra", "0"),
    ("net.ipv6.conf.default.accept_ra", "0"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.ip_forward", "0"),
    ("net.ipv6.conf.all.forwarding", "0"),
];

/// A host or router of a [`Lab`].
#[derive(Clone)]
pub struct Host {
    lab: Lab,
    name: String,
}

impl Host {
    pub(crate) fn create(lab: &Lab, name: &str) -> Result<Self> {
        let host = Self {
            lab: lab.clone(),
            name: name.to_owned(),
        };
        output(command("ip").args(["netns", "add", &host.namespace()]))?;
        for (key, value) in SYSCTLS {
            host.sysctl(key, value)?;
        }
        host.ip("link set lo up")?;
        Ok(host)
    }

    /// The lab it belongs to.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The name given to [`Lab::host`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the namespace, as `ip netns exec` takes it.
    pub fn namespace(&self) -> String {
        format!("{}-{}", self.lab.id(), self.name)
    }

    /// The path of a file of this host in the lab's directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.lab.dir().join(format!("{}-{name}", self.name))
    }

    /// A command that will run in the namespace.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = command("nsenter");
        // Not `ip netns exec`: that one mounts another /sys, which hides the control groups.
        command
            .arg(format!("--net={NETNS}/{}", self.namespace()))
            .arg("--")
            .arg(program);
        command
    }

    /// Runs a command in the namespace and returns what it printed; an exit code other than 0 is an
    /// error that shows what it complained about.
    pub fn run<A: AsRef<OsStr>>(
        &self,
        program: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Result<String> {
        output(self.command(program).args(args))
    }

    /// Runs `ip` with the words of `arguments` in the namespace: `ip("route add default via
    /// 192.0.2.1")`.
    pub fn ip(&self, arguments: &str) -> Result<String> {
        output(
            command("ip")
                .args(["-n", &self.namespace()])
                .args(arguments.split_whitespace()),
        )
    }

    /// Loads an nftables ruleset in the namespace.
    pub fn nft(&self, ruleset: &str) -> Result<()> {
        let mut nft = self.command("nft");
        let mut child = nft
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(ruleset.as_bytes())?;
        }
        let result = child.wait_with_output()?;
        let complaint = String::from_utf8_lossy(&result.stderr);
        ensure!(result.status.success(), "nft on {}: {complaint}", self.name);
        Ok(())
    }

    /// Starts a command made by [`Host::command`] in the background. Its output goes to the log
    /// `HOST-NAME.log`.
    pub fn spawn(&self, name: &str, command: &mut Command) -> Result<Process> {
        Process::spawn(self, name, command)
    }

    /// Runs `body` on a thread that is in the namespace. Sockets that it opens stay in the
    /// namespace wherever they are used afterwards.
    pub fn enter<T: Send>(&self, body: impl FnOnce() -> T + Send) -> Result<T> {
        let path = PathBuf::from(NETNS).join(self.namespace());
        let namespace = File::open(&path).with_context(|| format!("no {}", path.display()))?;
        let thread = || setns(namespace, CloneFlags::CLONE_NEWNET).map(|()| body());
        let outcome = thread::scope(|scope| scope.spawn(thread).join());
        match outcome {
            Ok(result) => result.with_context(|| format!("cannot enter {}", path.display())),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Sets a kernel setting under `net.` in the namespace, written with dots.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = PathBuf::from("/proc/sys").join(key.replace('.', "/"));
        self.enter(|| fs::write(&path, value))?
            .with_context(|| format!("cannot set {key} = {value} on {}", self.name))
    }

    /// Makes the host a router: it forwards IPv4 and IPv6.
    pub fn forward(&self) -> Result<()> {
        self.sysctl("net.ipv4.ip_forward", "1")?;
        self.sysctl("net.ipv6.conf.all.forwarding", "1")
    }

    /// Adds addresses with prefix length, `192.0.2.1/24` or `2001:db8::1/64`.
    pub fn address(&self, interface: &str, addresses: &[&str]) -> Result<()> {
        for address in addresses {
            let nodad = if address.contains(':') { "nodad" } else { "" };
            self.ip(&format!("address add {address} dev {interface} {nodad}"))?;
        }
        Ok(())
    }

    /// Connects an interface of this host to one of another, by a cable (a veth pair), both up.
    pub fn cable(&self, interface: &str, other: &Self, other_interface: &str) -> Result<()> {
        let peer = other.namespace();
        self.ip(&format!(
            "link add {interface} type veth peer name {other_interface} netns {peer}"
        ))?;
        self.ip(&format!("link set {interface} up"))?;
        other.ip(&format!("link set {other_interface} up"))?;
        Ok(())
    }

    /// The kernel's routes of one family.
    pub fn routes(&self, family: Family) -> Result<KernelRoutes> {
        route::kernel(
            &self.ip(&format!("-j {} route", family.ip_option()))?,
            family,
        )
    }

    /// Waits until another host answers a ping.
    pub fn await_ping(&self, to: IpAddr) -> Result<()> {
        wait::until(
            format!("{} to reach {to}", self.name),
            Duration::from_secs(5),
            || self.run("ping", ["-c", "1", "-W", "1", &to.to_string()]),
        )?;
        Ok(())
    }

    /// Starts a capture on an interface into a pcap file; it sees every packet from now on.
    /// `filter` is in the language of tcpdump, such as `tcp port 179`.
    pub fn capture(&self, interface: &str, filter: &str) -> Result<Capture> {
        Capture::start(self, interface, filter)
    }
}
