//! The network of most tests: an API server, a router and nodes on one switch.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use carillon_lab::kubernetes::{ApiServer, Request};
use carillon_lab::{Carillon, Family, Frr, Host, Lab, Switch, net, wait};
use ipnet::IpNet;
use serde_json::{Value, json};

/// For whatever should happen at once: longer than the longest pause between two attempts to
/// connect, shorter than the usual hold time.
pub(crate) const SOON: Duration = Duration::from_secs(45);

/// What binds the rights to give addresses to the account of the pods that announce.
pub(crate) const LEADERS: &str = "leaders";
const SERVICES: &str = "/api/v1/namespaces/default/services";
pub(crate) const SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
const CONFIG_MAPS: &str = "/api/v1/namespaces/metallb-system/configmaps";
/// The usual configuration: a session with the router, and 198.51.100.0/24.
pub(crate) const CONFIG: &str = "\
peers:
- {my-asn: 64512, peer-asn: 64512, peer-address: 192.0.2.1}
address-pools:
- {name: pool, protocol: bgp, addresses: [198.51.100.0/24]}
";

/// The IPv4 address of host number N.
pub(crate) fn v4(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, number).into()
}

/// See the module's documentation. What Carillon needs is installed, but for its pods: daemons run
/// on hosts, with the rights of the pods.
pub(crate) struct Site {
    pub(crate) api: ApiServer,
    pub(crate) router: Frr,
    lab: Lab,
    lan: Switch,
}

impl Site {
    /// A site with a router that expects these nodes.
    pub(crate) fn new(lab: &Lab, nodes: &[u8]) -> Result<Self> {
        Self::with(lab, nodes, ApiServer::start)
    }

    /// The same with an API server that is started otherwise.
    pub(crate) fn with(
        lab: &Lab,
        nodes: &[u8],
        start: fn(&Host) -> Result<ApiServer>,
    ) -> Result<Self> {
        let lan = lab.switch("lan")?;
        let plug = |name: &str, number: u8| -> Result<Host> {
            let host = lab.host(name)?;
            lan.plug(&host, "eth0", &[&format!("{}/24", v4(number))])?;
            Ok(host)
        };
        let mut config = "router bgp 64512\n".to_owned();
        for node in nodes {
            let _ = writeln!(config, " neighbor {} remote-as 64512", v4(*node));
        }
        let router = Frr::start(&plug("router", 1)?, &config)?;
        let api = start(&plug("api", 10)?)?;
        for manifest in ["namespace.yaml", "carillon.yaml"] {
            let lab = Path::new(env!("CARGO_MANIFEST_DIR"));
            let file = lab.join("../manifests").join(manifest);
            api.kubectl(&["create", "--filename", &file.to_string_lossy()])?;
        }
        let site = Self {
            api,
            router,
            lab: lab.clone(),
            lan,
        };
        site.let_speakers_lead()?;
        Ok(site)
    }

    /// Gives the account of the pods that announce the rights of those that give addresses, too, for
    /// daemons that do both.
    fn let_speakers_lead(&self) -> Result<()> {
        let to = "--serviceaccount=metallb-system:speaker";
        let role = ["--clusterrole=metallb-system:controller", to];
        let create = ["create", "clusterrolebinding", LEADERS];
        self.api.kubectl(&[&create[..], &role].concat())?;
        let role = ["--role=controller", to, "--namespace=metallb-system"];
        let create = ["create", "rolebinding", LEADERS];
        self.api.kubectl(&[&create[..], &role].concat())?;
        Ok(())
    }

    /// Takes that back: then the accounts have the rights of the manifests.
    pub(crate) fn do_not_let_speakers_lead(&self) -> Result<()> {
        let namespace = "--namespace=metallb-system";
        self.api
            .kubectl(&["delete", "rolebinding", LEADERS, namespace])?;
        self.api
            .kubectl(&["delete", "clusterrolebinding", LEADERS])?;
        Ok(())
    }

    /// Host number N.
    pub(crate) fn host(&self, name: &str, number: u8) -> Result<Host> {
        let host = self.lab.host(name)?;
        let address = format!("{}/24", v4(number));
        self.lan.plug(&host, "eth0", &[&address])?;
        Ok(host)
    }

    /// A node of the cluster on host number N, with the rights of Carillon's pods.
    pub(crate) fn node(&self, name: &str, number: u8) -> Result<Carillon> {
        self.node_as(name, number, &self.speaker()?)
    }

    /// The kubeconfig of Carillon's pods.
    pub(crate) fn speaker(&self) -> Result<PathBuf> {
        self.api.kubeconfig_for("metallb-system", "speaker")
    }

    /// The same with another kubeconfig.
    pub(crate) fn node_as(&self, name: &str, number: u8, kubeconfig: &Path) -> Result<Carillon> {
        self.node_on(&self.host(name, number)?, name, kubeconfig)
    }

    /// The same on a host that is there already.
    pub(crate) fn node_on(&self, host: &Host, name: &str, kubeconfig: &Path) -> Result<Carillon> {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}});
        self.api.send(&Request::create("/api/v1/nodes", node))?;
        Carillon::start_kubernetes(host, name, kubeconfig)
    }

    /// Creates the usual configuration: a session with the router, and 198.51.100.0/24.
    pub(crate) fn configure(&self) -> Result<()> {
        self.configure_with(CONFIG)
    }

    /// Creates this configuration.
    pub(crate) fn configure_with(&self, config: &str) -> Result<()> {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"},
            "data": {"config": config},
        });
        self.api.send(&Request::create(CONFIG_MAPS, map)).map(drop)
    }

    /// Creates a Service that has this address, with an endpoint on each of these nodes.
    pub(crate) fn serve(&self, name: &str, address: &str, nodes: &[&str]) -> Result<()> {
        let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}});
        self.api.send_all(&[
            Request::create(SLICES, endpoint_slice(name, nodes)),
            Request::create(SERVICES, service(name, address)),
        ])?;
        let patch = Request::patch(format!("{SERVICES}/{name}/status"), status);
        self.api.send(&patch).map(drop)
    }

    /// Deletes a Service and its EndpointSlice.
    pub(crate) fn delete(&self, name: &str) -> Result<()> {
        self.api.send_all(&[
            Request::delete(format!("{SERVICES}/{name}")),
            Request::delete(format!("{SLICES}/{name}")),
        ])
    }

    /// Waits until the router's table consists of exactly these prefixes, from exactly these hosts.
    pub(crate) fn await_table(&self, expected: &[(&str, &[u8])]) -> Result<()> {
        let expected: BTreeMap<IpNet, BTreeSet<IpAddr>> = expected
            .iter()
            .map(|(prefix, hosts)| (net(prefix), hosts.iter().map(|host| v4(*host)).collect()))
            .collect();
        wait::until(format!("the table {expected:?}"), SOON, || {
            let routes = self.router.routes(Family::V4)?.into_iter();
            let routes = routes.map(|(prefix, paths)| {
                let peers = paths.iter().filter_map(|path| path.peer);
                (prefix, peers.collect())
            });
            let table: BTreeMap<IpNet, BTreeSet<IpAddr>> = routes.collect();
            ensure!(table == expected, "{table:?}");
            Ok(())
        })
    }
}

/// Waits until `carillon status --json` contains all of these texts (as text it breaks long lines).
pub(crate) fn await_status(node: &Carillon, texts: &[&str]) -> Result<Value> {
    wait::until(format!("status to say {texts:?}"), SOON, || {
        let status = node.status()?;
        let text = status.to_string();
        let missing: Vec<_> = texts.iter().filter(|want| !text.contains(**want)).collect();
        ensure!(missing.is_empty(), "no {missing:?} in:\n{text}");
        Ok(status)
    })
}

/// A Service that asks for this address.
pub(crate) fn service(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "loadBalancerIP": address},
    })
}

/// The EndpointSlice of a Service, with a ready endpoint on each of these nodes.
pub(crate) fn endpoint_slice(service: &str, nodes: &[&str]) -> Value {
    let endpoint = |(n, node): (usize, &&str)| {
        json!({
            "addresses": [format!("10.0.0.{n}")], "nodeName": node,
            "conditions": {"ready": true},
        })
    };
    let endpoints: Vec<Value> = nodes.iter().enumerate().map(endpoint).collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
        "ports": [{"port": 80}], "endpoints": endpoints,
    })
}

/// Makes the resources known, as they are installed.
pub(crate) fn define(api: &ApiServer) -> Result<()> {
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/crds.yaml");
    let crds = crds.to_string_lossy();
    api.kubectl(&["create", "--filename", &crds])?;
    let established = ["--for=condition=established", "crd", "--all"];
    api.kubectl(&[&["wait"][..], &established].concat())?;
    Ok(())
}
