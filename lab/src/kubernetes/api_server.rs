//! The API server, and etcd behind it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::host::Host;
use crate::kubernetes::etcd::{self, Etcd};
use crate::kubernetes::{Access, Connection, Request, programs, request};
use crate::process::{Process, line, output};
use crate::wait;

const PORT: u16 = 6443;
const ADMIN_TOKEN: &str = "admin";
const CERTIFICATES: &str = "certificates";
const SERVICE_ACCOUNTS_KEY: &str = "service-accounts.key";
/// It takes three seconds on an idle machine.
const READY: Duration = Duration::from_secs(60);

/// An API server on a host of its own, which must have an address already.
///
/// It has no controllers: nothing makes EndpointSlices for a Service, or the service account
/// `default` for a namespace. Service addresses are from 10.96.0.0/16 (and fd00:96::/112).
pub struct ApiServer {
    host: Host,
    dir: PathBuf,
    programs: PathBuf,
    address: IpAddr,
    admin: PathBuf,
    /// The arguments of kube-apiserver.
    arguments: Vec<OsString>,
    etcd: Etcd,
    process: Process,
}

impl ApiServer {
    /// Starts etcd and the API server, and waits until it is ready.
    pub fn start(host: &Host) -> Result<Self> {
        Self::launch(host, false, &[])
    }

    /// The same with service addresses of both families.
    pub fn start_dual_stack(host: &Host) -> Result<Self> {
        Self::launch(host, true, &[])
    }

    /// Starts that of a cluster with controllers and with nodes, who say who they are with
    /// [`node_token`].
    pub(crate) fn start_cluster(host: &Host, nodes: &[&str]) -> Result<Self> {
        Self::launch(host, false, nodes)
    }

    fn launch(host: &Host, dual_stack: bool, nodes: &[&str]) -> Result<Self> {
        let programs = programs::directory(&["kube-apiserver", "kubectl"])?;
        let dir = host.file("kubernetes");
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        write_credentials(&dir, nodes)?;
        let address = first_address(host)?;
        let mut arguments = arguments(&dir, address, dual_stack);
        if nodes.is_empty() {
            // It would refuse pods whose service account a controller has yet to make.
            arguments.push("--disable-admission-plugins=ServiceAccount".into());
        }
        let etcd = Etcd::start(host, &programs, &dir.join("etcd"))?;
        let process = spawn(host, &programs, &arguments)?;
        let admin = dir.join("admin.kubeconfig");
        let mut server = Self {
            host: host.clone(),
            dir,
            programs,
            address,
            admin,
            arguments,
            etcd,
            process,
        };
        server.access().write(&server.admin)?;
        server.await_ready()?;
        Ok(server)
    }

    fn await_ready(&mut self) -> Result<()> {
        let ready = [
            Request::get("/api/v1/namespaces/default"),
            // The last of what it does at its start: the roles that Kubernetes itself has.
            Request::get("/readyz/poststarthook/rbac/bootstrap-roles"),
        ];
        wait::until("the API server to be ready", READY, || {
            self.process.ensure_running()?;
            self.send_all(&ready)
        })
    }

    /// Its host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// An administrator's way in.
    pub fn access(&self) -> Access {
        let address = match self.address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        Access {
            server: format!("https://{address}:{PORT}"),
            authority: self.dir.join(CERTIFICATES).join("apiserver.crt"),
            token: ADMIN_TOKEN.to_owned(),
        }
    }

    /// The key that it signs the tokens of service accounts with.
    pub(crate) fn service_accounts_key(&self) -> PathBuf {
        self.dir.join(SERVICE_ACCOUNTS_KEY)
    }

    /// An administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> &Path {
        &self.admin
    }

    /// A kubeconfig file for a service account that exists, with a token that ends after an hour.
    pub fn kubeconfig_for(&self, namespace: &str, account: &str) -> Result<PathBuf> {
        let access = self.access_of(namespace, account)?;
        self.kubeconfig_with(&format!("{namespace}-{account}"), &access)
    }

    /// How whoever has a token of a service account gets to the API.
    pub fn access_of(&self, namespace: &str, account: &str) -> Result<Access> {
        let token = self.kubectl(&["create", "token", account, "--namespace", namespace])?;
        let mut access = self.access();
        token.trim().clone_into(&mut access.token);
        Ok(access)
    }

    /// A kubeconfig file with what a test wants: [`ApiServer::access`], changed. `name` is for the
    /// name of the file.
    pub fn kubeconfig_with(&self, name: &str, access: &Access) -> Result<PathBuf> {
        let file = self.dir.join(format!("{name}.kubeconfig"));
        access.write(&file)?;
        Ok(file)
    }

    /// What kubectl prints, as an administrator: `kubectl(&["get", "services"])`.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_as(&self.admin, arguments)
    }

    /// What kubectl prints with another kubeconfig file.
    pub fn kubectl_as(&self, kubeconfig: &Path, arguments: &[&str]) -> Result<String> {
        output(self.kubectl_command(kubeconfig).args(arguments))
    }

    /// A command line for a person: kubectl as an administrator, up to its own arguments.
    pub fn kubectl_line(&self) -> String {
        let (namespace, kubectl) = (self.host.namespace(), self.programs.join("kubectl"));
        let (kubectl, config) = (kubectl.display(), self.admin.display());
        format!("ip netns exec {namespace} {kubectl} --kubeconfig {config}")
    }

    fn kubectl_command(&self, kubeconfig: &Path) -> Command {
        let mut command = self.host.command(self.programs.join("kubectl"));
        command.arg("--kubeconfig").arg(kubeconfig);
        command.arg("--cache-dir").arg(self.dir.join("kubectl"));
        command
    }

    /// `kubectl apply --server-side` of objects in YAML.
    pub fn apply(&self, yaml: &str) -> Result<String> {
        self.kubectl_stdin(&["apply", "--server-side", "--filename", "-"], yaml)
    }

    /// What kubectl prints when it reads `input`.
    pub fn kubectl_stdin(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = self.kubectl_command(&self.admin);
        command.args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", line(&command)))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let result = child.wait_with_output()?;
        let complaint = String::from_utf8_lossy(&result.stderr);
        ensure!(
            result.status.success(),
            "kubectl {arguments:?}: {}",
            complaint.trim_end()
        );
        Ok(String::from_utf8_lossy(&result.stdout).into_owned())
    }

    /// The object or list at a path of the API, `/api/v1/namespaces/default/services/web`; faster
    /// than kubectl.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.send(&Request::get(path))
    }

    /// Sends a request as an administrator and returns the answer.
    pub fn send(&self, request: &Request) -> Result<Value> {
        self.send_as(&self.access(), request)
    }

    /// The same as whom this access is.
    pub fn send_as(&self, access: &Access, request: &Request) -> Result<Value> {
        request::send(&self.host, access, request)
    }

    /// Sends many requests as an administrator, several at a time and in no order, and fails when
    /// one is refused.
    pub fn send_all(&self, requests: &[Request]) -> Result<()> {
        request::send_all(&self.host, &self.access(), requests)
    }

    /// Connects as an administrator, from the API server's own host.
    pub fn connect(&self) -> Result<Connection> {
        Connection::open(&self.host, &self.access())
    }

    /// The process id of the API server.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills the API server; etcd, and with it every object, stays.
    pub fn stop(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts the API server again after [`ApiServer::stop`], with the same certificates.
    pub fn start_again(&mut self) -> Result<()> {
        ensure!(
            self.process.exit_status()?.is_some(),
            "stop the API server before starting it again"
        );
        self.process = spawn(&self.host, &self.programs, &self.arguments)?;
        self.await_ready()
    }

    /// Stops it in the middle of what it does: connections stay and nothing answers.
    pub fn freeze(&self) -> Result<()> {
        self.process.signal(Signal::SIGSTOP)
    }

    /// Lets it go on after [`ApiServer::freeze`].
    pub fn thaw(&self) -> Result<()> {
        self.process.signal(Signal::SIGCONT)
    }

    /// Restarts the API server with a history that begins now: a watch that goes on from an earlier
    /// resource version is told that this one has expired (410).
    pub fn compact(&mut self) -> Result<()> {
        self.stop()?;
        self.etcd.compact()?;
        self.start_again()
    }
}

/// The first address of a host that others can reach.
fn first_address(host: &Host) -> Result<IpAddr> {
    let text = host.ip("-j address show scope global")?;
    let interfaces: Value = serde_json::from_str(&text)?;
    let interfaces = interfaces.as_array().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| interface.get("addr_info")?.as_array());
    let address = addresses
        .flatten()
        .find_map(|info| info.get("local")?.as_str());
    let address = address.with_context(|| format!("{} has no address yet", host.name()))?;
    Ok(address.parse()?)
}

/// The bearer token of a node's kubelet.
pub(crate) fn node_token(node: &str) -> String {
    format!("node-{node}")
}

/// Writes the tokens that the API server knows, and the key that it signs service accounts' with.
fn write_credentials(dir: &Path, nodes: &[&str]) -> Result<()> {
    let mut tokens = format!("{ADMIN_TOKEN},admin,admin,system:masters\n");
    for node in nodes {
        let token = node_token(node);
        let _ = writeln!(tokens, "{token},system:node:{node},{token},system:nodes");
    }
    fs::write(dir.join("tokens.csv"), tokens)?;
    let mut openssl = crate::process::command("openssl");
    openssl.args([
        "ecparam",
        "-name",
        "prime256v1",
        "-genkey",
        "-noout",
        "-out",
    ]);
    output(openssl.arg(dir.join(SERVICE_ACCOUNTS_KEY)))?;
    Ok(())
}

fn arguments(dir: &Path, address: IpAddr, dual_stack: bool) -> Vec<OsString> {
    let (any, services) = match (dual_stack, address) {
        (true, _) => ("::", "10.96.0.0/16,fd00:96::/112"),
        (false, IpAddr::V4(_)) => ("0.0.0.0", "10.96.0.0/16"),
        (false, IpAddr::V6(_)) => ("::", "fd00:96::/112"),
    };
    let (port, address) = (PORT.to_string(), address.to_string());
    let plain = [
        ("--etcd-servers", etcd::URL),
        ("--secure-port", &port),
        ("--bind-address", any),
        ("--advertise-address", &address),
        ("--service-cluster-ip-range", services),
        ("--service-account-issuer", "https://kubernetes.default.svc"),
        ("--authorization-mode", "Node,RBAC"),
        // Names of nodes do not resolve.
        ("--kubelet-preferred-address-types", "InternalIP"),
    ];
    let files = [
        ("--cert-dir", CERTIFICATES),
        ("--token-auth-file", "tokens.csv"),
        ("--service-account-key-file", SERVICE_ACCOUNTS_KEY),
        ("--service-account-signing-key-file", SERVICE_ACCOUNTS_KEY),
    ];
    let mut arguments = vec!["--allow-privileged".into()];
    arguments.extend(
        plain
            .iter()
            .flat_map(|(name, value)| [name.into(), value.into()]),
    );
    arguments.extend(
        files
            .iter()
            .flat_map(|(name, file)| [name.into(), dir.join(file).into()]),
    );
    arguments
}

fn spawn(host: &Host, programs: &Path, arguments: &[OsString]) -> Result<Process> {
    let mut command = host.command(programs.join("kube-apiserver"));
    host.spawn("kube-apiserver", command.args(arguments))
}
