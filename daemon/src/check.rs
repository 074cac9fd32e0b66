//! `carillon check`: are these files, or the objects of a cluster, right? Reads them as
//! `carillon run` would, and announces nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use carillon_core::address::Family;
use carillon_core::config::origin::Origin;
use carillon_core::config::{Config, Peer, Pool, Protocol};
use carillon_core::controller::{self, Controller};
use carillon_core::policy::WithdrawReason;
use carillon_core::service::{Ingress, Service, ServiceKey};
use carillon_objects::source::Change;
use carillon_objects::{ConfigText, Object, ObjectKey, Setting};
use carillon_source_files::{self as files, Catalog, Contents, Listing};

use crate::backends;
use crate::cli::CheckArgs;
use crate::settings::Settings;

mod cluster;
#[cfg(test)]
mod tests;

/// Checks files or a cluster, tells every error, and on success what was understood.
///
/// # Errors
/// The standard output is closed, or there is no way to the cluster.
pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let report = if args.from_cluster {
        args.role.check(true, false)?;
        cluster::check(args)?
    } else {
        args.role.check(false, false)?;
        let report = Report::new(args.config.key(), args.lb_class.clone());
        check(&args.paths, report, &mut io::stdin())
    };
    for error in &report.errors {
        writeln!(io::stderr(), "{error}")?;
    }
    if !report.errors.is_empty() {
        let errors = count(report.errors.len(), "error");
        writeln!(io::stderr(), "{errors} in {}", report.place())?;
        return Ok(ExitCode::FAILURE);
    }
    write!(io::stdout(), "{}", report.summary())?;
    Ok(ExitCode::SUCCESS)
}

/// What is in the files, or in the cluster.
#[derive(Debug)]
struct Report {
    files: usize,
    /// The API server, if this is about a cluster.
    server: Option<String>,
    errors: Vec<String>,
    /// What is not wrong, but probably meant otherwise.
    notes: Vec<String>,
    objects: BTreeMap<ObjectKey, Object>,
    config: Option<Arc<Config>>,
    config_key: ObjectKey,
    /// The class of services to serve.
    class: Option<String>,
    /// Endpoints are known, so that it is known which services nobody would announce.
    knows_endpoints: bool,
    /// The addresses that have been given already.
    journal: BTreeMap<ServiceKey, Vec<IpAddr>>,
}

fn check(paths: &[impl AsRef<Path>], mut report: Report, stdin: &mut dyn Read) -> Report {
    let mut catalog = Catalog::new(report.config_key.clone());
    let mut changes = Vec::new();
    for path in paths {
        for (label, contents) in report.open(path.as_ref(), stdin) {
            report.files += 1;
            match contents {
                // A daemon would not take it out of its directory.
                Contents::Text(text)
                    if !path.as_ref().is_dir() && carillon_objects::is_configuration(&text) =>
                {
                    let origin = Origin::whole(&label);
                    let text = ConfigText {
                        text,
                        origin,
                        renumber: None,
                    };
                    let key = report.config_key.clone();
                    report.configure([(&key, &Setting::ConfigMap(text.into()))]);
                }
                contents => catalog.set(&label, contents, &mut changes),
            }
        }
    }
    report
        .errors
        .extend(catalog.problems().map(|problem| problem.to_string()));
    let notes = catalog.notes().map(|note| format!("note: {note}"));
    report.notes.extend(notes);
    report.take(changes);
    report
}

impl Report {
    /// A report on nothing yet; the configuration is in this ConfigMap.
    fn new(config: ObjectKey, class: Option<String>) -> Self {
        Self {
            config_key: config,
            class,
            files: 0,
            server: None,
            errors: Vec::new(),
            notes: Vec::new(),
            objects: BTreeMap::new(),
            config: None,
            knows_endpoints: true,
            journal: BTreeMap::new(),
        }
    }

    /// Where all of it was read.
    fn place(&self) -> String {
        match &self.server {
            Some(server) => format!("the cluster of {server}"),
            None => count(self.files, "file"),
        }
    }

    fn take(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Set(key, object) => drop(self.objects.insert(key, object)),
                Change::Removed(key) => drop(self.objects.remove(&key)),
            }
        }
        let objects = std::mem::take(&mut self.objects);
        self.configure(objects.iter().filter_map(|(key, object)| {
            let Object::Setting(setting) = object else {
                return None;
            };
            Some((key, setting))
        }));
        self.objects = objects;
    }

    /// The files that a path leads to.
    fn open(&mut self, path: &Path, stdin: &mut dyn Read) -> Vec<(Arc<str>, Contents)> {
        if path == Path::new("-") {
            let contents = match files::read_from(stdin) {
                Ok(text) => Contents::Text(text),
                Err(error) => Contents::Unreadable(error.to_string()),
            };
            return vec![("<stdin>".into(), contents)];
        }
        if !path.is_dir() {
            return vec![(files::label(path), contents(path))];
        }
        self.journal
            .extend(files::journal::recorded(&path.join(files::journal::NAME)));
        let listing = files::list(path).unwrap_or_else(|error| {
            self.errors.push(error);
            Listing::default()
        });
        let misnamed = listing.misnamed.iter();
        self.errors.extend(misnamed.map(ToString::to_string));
        if listing.names.is_empty() {
            let dir = path.display();
            let none = "has no file of objects: of a directory, *.yaml, *.yml and *.json are read";
            self.notes.push(format!("note: {dir} {none}"));
        }
        let paths = listing.names.iter().map(|name| path.join(&**name));
        paths
            .map(|path| (files::label(&path), contents(&path)))
            .collect()
    }

    /// Reads what these objects say together, if they say anything.
    fn configure<'a>(&mut self, objects: impl IntoIterator<Item = (&'a ObjectKey, &'a Setting)>) {
        let mut settings = Settings::new(self.config_key.clone(), true);
        for (key, setting) in objects {
            settings.set(key, setting);
        }
        let Some(configured) = settings.assemble(&backends::names()) else {
            return;
        };
        let refused = configured.refused.into_iter();
        self.errors.extend(refused.map(|refusal| refusal.text));
        let notes = configured.notes.iter();
        self.notes.extend(notes.map(|note| format!("note: {note}")));
        self.config = Some(Arc::new(configured.config));
    }

    fn summary(&self) -> String {
        let mut lines = vec![format!("ok: {}", self.place())];
        match &self.config {
            Some(config) => lines.extend(describe(config)),
            None => lines.push(format!("no {}: no pools, no peers", self.config_key)),
        }
        let of_kind =
            |is: fn(&Object) -> bool| self.objects.values().filter(|object| is(object)).count();
        let services = of_kind(|object| matches!(object, Object::Service(_)));
        let balanced = self.services().filter(|s| s.is_load_balancer).count();
        let slices = of_kind(|object| matches!(object, Object::EndpointSlice(_)));
        let nodes = of_kind(|object| matches!(object, Object::Node(_)));
        lines.push(format!(
            "{}, {balanced} of type LoadBalancer; {}; {}",
            count(services, "service"),
            count(slices, "endpoint slice"),
            count(nodes, "node")
        ));
        lines.extend(self.notes.iter().cloned());
        if let Some(config) = &self.config {
            lines.extend(self.without_node(config));
            lines.extend(self.without_service());
            lines.extend(self.in_use(config));
            lines.extend(self.not_announced(config));
        }
        lines.join("\n") + "\n"
    }

    fn services(&self) -> impl Iterator<Item = &Service> {
        self.objects.values().filter_map(Object::service)
    }

    /// The peers with which no node that is known would have a session.
    fn without_node(&self, config: &Config) -> Vec<String> {
        let nodes: Vec<_> = self.objects.values().filter_map(Object::node).collect();
        let is_selected = |peer: &Peer| {
            let mut selectors = peer.node_selectors.iter();
            peer.node_selectors.is_empty()
                || selectors.any(|one| nodes.iter().any(|node| one.matches(&node.labels)))
        };
        let others = config.bgp.peers.iter().filter(|peer| !is_selected(peer));
        let note = |peer: &Arc<Peer>| {
            format!(
                "note: peer {}: its node selectors match none of the {} here: no node has a \
                 session with it (in files: a Node with the labels of this host)",
                peer.address,
                count(nodes.len(), "node")
            )
        };
        others.map(note).collect()
    }

    /// The slices of services that are not here. A cluster has them while it is at work.
    fn without_service(&self) -> Vec<String> {
        if self.server.is_some() {
            return Vec::new();
        }
        let keys: BTreeSet<&ServiceKey> = self.services().map(|service| &service.key).collect();
        let notes = self.objects.values().filter_map(|object| {
            let slice =
                Object::endpoint_slice(object).filter(|slice| !keys.contains(&slice.service))?;
            let mut others = keys.iter().filter(|key| key.name() == slice.service.name());
            let remedy = match others.next() {
                Some(other) => format!("is metadata.namespace to be {}?", other.namespace()),
                None => "see the label kubernetes.io/service-name".to_owned(),
            };
            let (slice, service) = (&slice.key, &slice.service);
            let note = "note: endpoint slice";
            Some(format!(
                "{note} {slice}: there is no service {service}: {remedy}"
            ))
        });
        notes.collect()
    }

    /// The addresses in use that a running daemon would miss in this configuration.
    fn in_use(&self, config: &Config) -> Vec<String> {
        let is_ours = |service: &&Service| {
            service.is_load_balancer && service.is_of_class(self.class.as_deref())
        };
        let services = self.services().filter(is_ours);
        let missing = services.filter_map(|service| {
            let addresses = self.journal.get(&service.key)?;
            let contains = |pool: &Pool, ip| pool.blocks.iter().any(|block| block.contains(ip));
            let has = |pool: &Arc<Pool>| addresses.iter().all(|ip| contains(pool, ip));
            (!config.pools.values().any(has)).then(|| {
                let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                let (key, addresses) = (&service.key, addresses.join(" and "));
                format!(
                    "note: service {key} has {addresses}, for which there is no pool: a daemon that \
                     runs will wait with this configuration until the service is deleted or moved"
                )
            })
        });
        missing.collect()
    }

    /// The services that no node would announce, or that would lack an address, and why.
    fn not_announced(&self, config: &Arc<Config>) -> Vec<String> {
        let mut controller = Controller::new(self.class.clone());
        controller.handle(controller::Input::Config(config.clone()));
        for service in self.services() {
            let mut service = service.clone();
            if let Some(addresses) = self.journal.get(&service.key) {
                service.publish(addresses.iter().copied().map(Ingress::Address));
            }
            controller.handle(controller::Input::Service(service));
        }
        for (key, object) in &self.objects {
            if let Object::Namespace(labels) = object {
                let name = key.name.name().into();
                controller.handle(controller::Input::Namespace(name, labels.clone()));
            }
        }
        controller.handle(controller::Input::NamespacesKnown);
        controller.handle(controller::Input::Synced);
        while controller.poll_change().is_some() {}
        let served: BTreeSet<_> = self.objects.values().filter_map(served).collect();
        let notes = controller.services().filter_map(|(key, status)| {
            let families = status.addresses.iter().map(|address| Family::of(*address));
            let is_served = families
                .map(|family| (key, family))
                .any(|one| served.contains(&one));
            let unserved = || {
                (self.knows_endpoints && !is_served)
                    .then(|| WithdrawReason::NoEndpoints.to_string())
            };
            let why = status.shortfall.or_else(unserved)?;
            Some(format!("note: service {key}: {why}"))
        });
        notes.collect()
    }
}

/// The service that these endpoints make worth announcing, and in which family.
fn served(object: &Object) -> Option<(&ServiceKey, Family)> {
    let slice = object.endpoint_slice()?;
    slice.serves.then_some((&slice.service, slice.family))
}

fn contents(path: &Path) -> Contents {
    match files::read_text(path) {
        Ok(Some(text)) => Contents::Text(text),
        Ok(None) => Contents::Unreadable("does not exist".to_owned()),
        Err(error) => Contents::Unreadable(error.to_string()),
    }
}

fn describe(config: &Config) -> Vec<String> {
    let protocols = config.protocols();
    let pools = config.pools.values().map(|pool| {
        let blocks: Vec<String> = pool.blocks.iter().map(ToString::to_string).collect();
        let protocols = protocols.get(&pool.name).map(Protocol::names);
        let protocols = protocols.as_deref().unwrap_or("none");
        format!("pool {}: {protocols}, {}", pool.name, blocks.join(" "))
    });
    let peers = config.bgp.peers.iter().map(|peer| {
        format!(
            "peer {}: AS {}, ours {}",
            peer.address, peer.peer_asn, peer.my_asn
        )
    });
    let none = |is_empty: bool, what: &str| is_empty.then(|| what.to_owned());
    let no_pools = none(
        config.pools.is_empty(),
        "no pools: no service gets an address",
    );
    let no_peers = none(
        config.bgp.peers.is_empty(),
        "no peers: nobody is told of any address",
    );
    let lines = pools.chain(no_pools).chain(peers).chain(no_peers);
    lines.collect()
}

/// `1 file`, `2 files`.
fn count(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}
