//! The API server, and etcd behind it.

use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::host::Host;
use crate::kubernetes::{Access, Request, programs, request};
use crate::process::{Process, output};
use crate::wait;

const PORT: u16 = 6443;
const ETCD: &str = "http://127.0.0.1:2379";
const ADMIN_TOKEN: &str = "admin";
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
    dual_stack: bool,
    address: IpAddr,
    admin: PathBuf,
    _etcd: Process,
    process: Process,
}

impl ApiServer {
    /// Starts etcd and the API server, and waits until it is ready.
    pub fn start(host: &Host) -> Result<Self> {
        Self::launch(host, false)
    }

    /// The same with service addresses of both families.
    pub fn start_dual_stack(host: &Host) -> Result<Self> {
        Self::launch(host, true)
    }

    fn launch(host: &Host, dual_stack: bool) -> Result<Self> {
        let programs = programs::directory(&["kube-apiserver", "kubectl"])?;
        let dir = host.file("kubernetes");
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        write_credentials(&dir)?;
        let address = first_address(host)?;
        let etcd = start_etcd(host, &programs, &dir)?;
        let process = start_api_server(host, &programs, &dir, address, dual_stack)?;
        let admin = dir.join("admin.kubeconfig");
        let mut server = Self {
            host: host.clone(),
            dir,
            programs,
            dual_stack,
            address,
            admin,
            _etcd: etcd,
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
            authority: self.dir.join("certificates/apiserver.crt"),
            token: ADMIN_TOKEN.to_owned(),
        }
    }

    /// An administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> &Path {
        &self.admin
    }

    /// A kubeconfig file for a service account that exists, with a token that ends after an hour.
    pub fn kubeconfig_for(&self, namespace: &str, account: &str) -> Result<PathBuf> {
        let token = self.kubectl(&["create", "token", account, "--namespace", namespace])?;
        let mut access = self.access();
        token.trim().clone_into(&mut access.token);
        self.kubeconfig_with(&format!("{namespace}-{account}"), &access)
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

    fn kubectl_command(&self, kubeconfig: &Path) -> std::process::Command {
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
            .with_context(|| format!("cannot start {command:?}"))?;
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
        request::send(&self.host, &self.access(), request)
    }

    /// Sends many requests as an administrator, several at a time and in no order, and fails when
    /// one is refused.
    pub fn send_all(&self, requests: &[Request]) -> Result<()> {
        request::send_all(&self.host, &self.access(), requests)
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
        self.process = start_api_server(
            &self.host,
            &self.programs,
            &self.dir,
            self.address,
            self.dual_stack,
        )?;
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
        // Base64 of "lab": a key that no object has, so that no client has the latest revision.
        let put = self.etcd("kv/put", &json!({"key": "bGFi", "value": "bGFi"}))?;
        let revision = put.pointer("/header/revision");
        let revision = revision.with_context(|| format!("etcd tells no revision: {put}"))?;
        self.etcd(
            "kv/compaction",
            &json!({"revision": revision, "physical": true}),
        )?;
        self.start_again()
    }

    fn etcd(&self, call: &str, body: &Value) -> Result<Value> {
        let (url, body) = (format!("{ETCD}/v3/{call}"), body.to_string());
        let answer = self
            .host
            .run("curl", ["-sS", "--fail-with-body", "--data", &body, &url])?;
        serde_json::from_str(&answer).with_context(|| format!("etcd {call}: {answer}"))
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

/// Writes the tokens that the API server knows, and the key that it signs service accounts' with.
fn write_credentials(dir: &Path) -> Result<()> {
    let tokens = format!("{ADMIN_TOKEN},admin,admin,system:masters\n");
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
    output(openssl.arg(dir.join("service-accounts.key")))?;
    Ok(())
}

fn start_etcd(host: &Host, programs: &Path, dir: &Path) -> Result<Process> {
    let own = programs.join("etcd");
    let mut command = host.command(if own.is_file() { own } else { "etcd".into() });
    command.arg("--data-dir").arg(dir.join("etcd"));
    command.args([
        "--listen-client-urls",
        ETCD,
        "--advertise-client-urls",
        ETCD,
    ]);
    // A power failure is not among what the lab outlives.
    command.args([
        "--unsafe-no-fsync",
        "--logger",
        "zap",
        "--log-level",
        "warn",
    ]);
    let mut process = host.spawn("etcd", &mut command)?;
    wait::until("etcd to be ready", READY, || {
        process.ensure_running()?;
        let health = host.run(
            "curl",
            ["-sS", "--max-time", "1", &format!("{ETCD}/health")],
        )?;
        if !health.contains("true") {
            bail!("{health}");
        }
        Ok(())
    })?;
    Ok(process)
}

fn start_api_server(
    host: &Host,
    programs: &Path,
    dir: &Path,
    address: IpAddr,
    dual_stack: bool,
) -> Result<Process> {
    let key = dir.join("service-accounts.key");
    let (any, services) = match (dual_stack, address) {
        (true, _) => ("::", "10.96.0.0/16,fd00:96::/112"),
        (false, IpAddr::V4(_)) => ("0.0.0.0", "10.96.0.0/16"),
        (false, IpAddr::V6(_)) => ("::", "fd00:96::/112"),
    };
    let mut command = host.command(programs.join("kube-apiserver"));
    command.args(["--etcd-servers", ETCD, "--secure-port", &PORT.to_string()]);
    command.args([
        "--bind-address",
        any,
        "--service-cluster-ip-range",
        services,
    ]);
    command.args(["--advertise-address", &address.to_string()]);
    command.args(["--authorization-mode", "Node,RBAC", "--allow-privileged"]);
    command.args(["--service-account-issuer", "https://kubernetes.default.svc"]);
    command.args(["--disable-admission-plugins", "ServiceAccount"]);
    command.arg("--service-account-key-file").arg(&key);
    command.arg("--service-account-signing-key-file").arg(&key);
    command.arg("--token-auth-file").arg(dir.join("tokens.csv"));
    command.arg("--cert-dir").arg(dir.join("certificates"));
    host.spawn("kube-apiserver", &mut command)
}
