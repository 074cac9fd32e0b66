//! A node: containerd, kubelet and kube-proxy.
//!
//! All of it is in mount, process and host-name namespaces of its own (see `node/boot.sh`), where
//! `/var` and `/run` are directories of the lab. So it leaves nothing behind on the machine, and two
//! nodes do not meet where a program has a path that cannot be changed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::host::Host;
use crate::kubernetes::api_server::node_token;
use crate::kubernetes::{ApiServer, image, programs};
use crate::lab::{Lab, NETNS};
use crate::process::{Process, command, output};
use crate::seed;
use crate::switch::{Cable, Switch};
use crate::wait;

const BOOT: &str = include_str!("node/boot.sh");
const SOON: Duration = Duration::from_secs(60);

/// A node of a [`Cluster`](crate::kubernetes::Cluster).
pub struct Node {
    plan: seed::Node,
    host: Host,
    cable: Cable,
    dir: PathBuf,
    programs: PathBuf,
    /// The first process, and then what it started.
    processes: Vec<Process>,
}

impl Node {
    /// Plugs a node into a switch and starts it.
    pub(crate) fn create(
        lab: &Lab,
        lan: &Switch,
        api: &ApiServer,
        plan: seed::Node,
    ) -> Result<Self> {
        let host = lab.host(plan.name)?;
        let cable = lan.plug(&host, "enp1s0", &[&format!("{}/24", plan.address)])?;
        host.forward()?;
        host.ip(&format!("route add default via {}", seed::ROUTER))?;
        seed::route_to_pods(&host, plan.address)?;
        let dir = host.file("node");
        let programs = programs::directory(&["kubelet", "kube-proxy"])?;
        let mut node = Self {
            plan,
            host,
            cable,
            dir,
            programs,
            processes: Vec::new(),
        };
        node.write_files(api)?;
        node.boot()?;
        Ok(node)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.plan.name
    }

    /// Its network namespace.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The cable between its `enp1s0` and the switch.
    pub fn cable(&self) -> &Cable {
        &self.cable
    }

    /// A command that will run on the node, in all of its namespaces.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        let first = self.processes.first();
        let first = first
            .with_context(|| format!("{} is off", self.name()))?
            .id();
        let mut command = command("nsenter");
        command.arg(format!("--net={NETNS}/{}", self.host.namespace()));
        command.arg(format!("--mount=/proc/{first}/ns/mnt"));
        command.arg(format!("--uts=/proc/{first}/ns/uts"));
        command.arg(format!("--pid=/proc/{first}/ns/pid_for_children"));
        command.arg("--").arg(program);
        Ok(command)
    }

    /// Gives the node the image in an OCI archive, under the name that it has there.
    pub fn import_image(&self, archive: &Path) -> Result<()> {
        let file = File::open(archive).with_context(|| format!("no {}", archive.display()))?;
        let mut ctr = self.ctr()?;
        let result = ctr.args(["images", "import", "-"]).stdin(file).output()?;
        let complaint = String::from_utf8_lossy(&result.stderr);
        ensure!(
            result.status.success(),
            "{} does not take {}: {complaint}",
            self.name(),
            archive.display()
        );
        Ok(())
    }

    /// Gives an image that the node has another name.
    pub(crate) fn tag_image(&self, name: &str, tag: &str) -> Result<()> {
        output(self.ctr()?.args(["images", "tag", name, tag]))?;
        Ok(())
    }

    /// containerd's own client.
    fn ctr(&self) -> Result<Command> {
        let mut ctr = self.command("ctr")?;
        ctr.arg("--address").arg(self.socket());
        ctr.args(["--namespace", "k8s.io"]);
        Ok(ctr)
    }

    /// Switches it off, as by cutting its power: nobody gets a farewell, and nothing of what ran is
    /// left but its disk.
    pub fn stop(&mut self) -> Result<()> {
        self.cable.cut()?;
        while let Some(mut process) = self.processes.pop() {
            process.kill()?;
        }
        self.host.nft("flush ruleset")?;
        // There is none before the first pod.
        let _ = self.host.ip("link delete cni0");
        Ok(())
    }

    /// Shuts it down, as its operator does: asks every process to end, waits until those of the pods
    /// have, and switches it off.
    pub fn shut_down(&mut self) -> Result<()> {
        output(self.command("kill")?.args(["-TERM", "--", "-1"]))?;
        wait::until("the pods to end", SOON, || {
            let list = "cat $(find /sys/fs/cgroup -name cgroup.procs)";
            let left = output(self.command("sh")?.args(["-c", list]))?;
            ensure!(left.is_empty(), "processes {}", left.replace('\n', " "));
            Ok(())
        })?;
        self.stop()
    }

    /// Switches it on again after [`Node::stop`], and waits until its kubelet is healthy.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.processes.is_empty(), "{} is on", self.name());
        self.cable.mend()?;
        self.boot()
    }

    fn boot(&mut self) -> Result<()> {
        let up = self.dir.join("up");
        let _ = fs::remove_file(&up);
        let mut first = self.host.command("unshare");
        first.args(["--mount", "--propagation", "private", "--pid", "--uts"]);
        first.args(["--fork", "--kill-child", "sh", "-c", BOOT, "boot"]);
        first
            .arg(self.name())
            .arg(&self.dir)
            .arg(self.host.lab().dir());
        first.arg(&self.programs).arg(self.host.namespace());
        let mut first = self.host.spawn("boot", &mut first)?;
        wait::until(format!("{} to be up", self.name()), SOON, || {
            first.ensure_running()?;
            ensure!(up.exists(), "no {}", up.display());
            Ok(())
        })?;
        self.processes.push(first);
        self.start_containerd()?;
        self.start_kubelet()?;
        let mut proxy = self.command(self.dir.join("programs/kube-proxy"))?;
        proxy.arg("--config").arg(self.dir.join("kube-proxy.json"));
        self.processes
            .push(self.host.spawn("kube-proxy", &mut proxy)?);
        Ok(())
    }

    fn start_containerd(&mut self) -> Result<()> {
        let mut containerd = self.command("containerd")?;
        containerd
            .arg("--config")
            .arg(self.dir.join("containerd.toml"));
        let _ = fs::remove_file(self.socket());
        let mut process = self.host.spawn("containerd", &mut containerd)?;
        wait::until("containerd to be ready", SOON, || {
            process.ensure_running()?;
            output(self.ctr()?.arg("version"))
        })?;
        self.processes.push(process);
        Ok(())
    }

    fn start_kubelet(&mut self) -> Result<()> {
        let mut kubelet = self.command(self.dir.join("programs/kubelet"))?;
        kubelet.arg("--config").arg(self.dir.join("kubelet.json"));
        kubelet
            .arg("--kubeconfig")
            .arg(self.dir.join("kubelet.kubeconfig"));
        kubelet.args([
            "--hostname-override",
            self.name(),
            "--node-ip",
            self.plan.address,
        ]);
        let mut process = self.host.spawn("kubelet", &mut kubelet)?;
        wait::until("kubelet to be healthy", SOON, || {
            process.ensure_running()?;
            let url = "http://127.0.0.1:10248/healthz";
            self.host
                .run("curl", ["-sS", "--fail", "--max-time", "1", url])
        })?;
        self.processes.push(process);
        Ok(())
    }

    fn socket(&self) -> PathBuf {
        self.dir.join("containerd.sock")
    }

    fn write_files(&self, api: &ApiServer) -> Result<()> {
        let cni = self.dir.join("var/lib/cni/net.d");
        fs::create_dir_all(&cni).with_context(|| format!("cannot make {}", cni.display()))?;
        fs::write(cni.join("pods.conflist"), self.cni().to_string())?;
        fs::write(self.dir.join("containerd.toml"), self.containerd())?;
        fs::write(self.dir.join("resolv.conf"), "")?;
        fs::write(self.dir.join("kubelet.json"), self.kubelet().to_string())?;
        fs::write(
            self.dir.join("kube-proxy.json"),
            self.kube_proxy(api).to_string(),
        )?;
        let mut access = api.access();
        access.token = node_token(self.name());
        access.write(&self.dir.join("kubelet.kubeconfig"))
    }

    fn cni(&self) -> Value {
        json!({
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [{
                "type": "bridge",
                "bridge": "cni0",
                "isDefaultGateway": true,
                "hairpinMode": true,
                "ipam": {"type": "host-local", "ranges": [[{"subnet": self.plan.pods}]]},
            }],
        })
    }

    fn containerd(&self) -> String {
        let (socket, pause) = (self.socket(), image::PAUSE.name);
        format!(
            r#"version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
address = "{}"
[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
disable_tcp_service = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "/var/lib/cni/net.d"
"#,
            socket.display()
        )
    }

    fn kubelet(&self) -> Value {
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "containerRuntimeEndpoint": format!("unix://{}", self.socket().display()),
            "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": false,
            "enforceNodeAllocatable": [],
            "failCgroupV1": false,
            "failSwapOn": false,
            // The disk of the machine is not that of the node.
            "evictionHard": {},
            "imageGCHighThresholdPercent": 100,
            "localStorageCapacityIsolation": false,
            // So that a Secret that is created later is soon in the pods that mount it.
            "syncFrequency": "10s",
            // There is no name server, but a kubelet without one complains about every pod.
            "clusterDNS": ["10.96.0.10"],
            "resolvConf": self.dir.join("resolv.conf"),
            "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        })
    }

    fn kube_proxy(&self, api: &ApiServer) -> Value {
        json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": api.kubeconfig()},
            "hostnameOverride": self.name(),
            "clusterCIDR": "10.254.0.0/16",
            // So that it sets nothing of what is the whole machine's.
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
        })
    }
}
