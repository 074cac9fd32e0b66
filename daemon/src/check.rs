//! `carillon check`: are these files right? Reads them as `carillon run` would, and announces
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use carillon_core::config::origin::Origin;
use carillon_core::config::{Config, legacy};
use carillon_core::controller::{self, Controller};
use carillon_core::yaml::{self, Content};

use crate::backends;
use crate::cli::CheckArgs;
use crate::files::{self, Catalog, Contents};
use crate::objects::{ConfigText, Object, ObjectKey};
use crate::source::Change;

#[cfg(test)]
mod tests;

/// Checks files, tells every error, and on success what was understood.
///
/// # Errors
/// The standard output is closed.
pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let report = check(&args.paths, args.config.key(), &mut io::stdin());
    for error in &report.errors {
        writeln!(io::stderr(), "{error}")?;
    }
    if !report.errors.is_empty() {
        let (errors, files) = (report.errors.len(), report.files);
        writeln!(
            io::stderr(),
            "{} in {}",
            count(errors, "error"),
            count(files, "file")
        )?;
        return Ok(ExitCode::FAILURE);
    }
    write!(io::stdout(), "{}", report.summary())?;
    Ok(ExitCode::SUCCESS)
}

/// What is in the files.
#[derive(Debug, Default)]
struct Report {
    files: usize,
    errors: Vec<String>,
    objects: BTreeMap<ObjectKey, Arc<Object>>,
    config: Option<Arc<Config>>,
    config_key: Option<ObjectKey>,
}

fn check(paths: &[impl AsRef<Path>], config: ObjectKey, stdin: &mut dyn Read) -> Report {
    let mut report = Report {
        config_key: Some(config.clone()),
        ..Report::default()
    };
    let mut catalog = Catalog::new(config);
    let mut changes = Vec::new();
    for path in paths {
        for (label, contents) in report.open(path.as_ref(), stdin) {
            report.files += 1;
            match contents {
                Contents::Text(text) if is_bare_config(&text) => {
                    let origin = Origin::whole(&label);
                    report.take_config(&ConfigText { text, origin });
                }
                contents => catalog.set(&label, contents, &mut changes),
            }
        }
    }
    report
        .errors
        .extend(catalog.problems().iter().map(ToString::to_string));
    for change in changes {
        match change {
            Change::Set(key, object) => drop(report.objects.insert(key, object)),
            Change::Removed(key) => drop(report.objects.remove(&key)),
        }
    }
    for object in report.objects.values().cloned().collect::<Vec<_>>() {
        if let Object::Config(text) = &*object {
            report.take_config(text);
        }
    }
    report
}

/// Whether a text is MetalLB's configuration itself, outside of a ConfigMap.
fn is_bare_config(text: &str) -> bool {
    let Ok(Some(root)) = yaml::parse(text) else {
        return false;
    };
    let Content::Mapping(entries) = &root.content else {
        return false;
    };
    let has = |names: &[&str]| entries.iter().any(|entry| names.contains(&&*entry.key));
    !has(&["kind", "apiVersion"])
        && has(&["peers", "address-pools", "bgp-communities", "bfd-profiles"])
}

impl Report {
    /// The files that a path leads to.
    fn open(&mut self, path: &Path, stdin: &mut dyn Read) -> Vec<(Arc<str>, Contents)> {
        if path == Path::new("-") {
            let mut text = String::new();
            let contents = match stdin.read_to_string(&mut text) {
                Ok(_) => Contents::Text(text),
                Err(error) => Contents::Unreadable(format!("cannot be read: {error}")),
            };
            return vec![("<stdin>".into(), contents)];
        }
        if !path.is_dir() {
            return vec![(files::label(path), contents(path))];
        }
        let names = files::list(path).unwrap_or_else(|error| {
            self.errors.push(error);
            BTreeSet::default()
        });
        let paths = names.iter().map(|name| path.join(&**name));
        paths
            .map(|path| (files::label(&path), contents(&path)))
            .collect()
    }

    fn take_config(&mut self, config: &ConfigText) {
        match legacy::parse(&config.text, &config.origin, &backends::names()) {
            Ok(config) => self.config = Some(Arc::new(config)),
            Err(errors) => self.errors.extend(errors.iter().map(ToString::to_string)),
        }
    }

    fn summary(&self) -> String {
        let mut lines = vec![format!("ok: {}", count(self.files, "file"))];
        match (&self.config, &self.config_key) {
            (Some(config), _) => lines.extend(describe(config)),
            (None, Some(key)) => lines.push(format!("no {key}: no pools, no peers")),
            (None, None) => {}
        }
        let of_kind =
            |is: fn(&Object) -> bool| self.objects.values().filter(|object| is(object)).count();
        let services = of_kind(|object| matches!(object, Object::Service(_)));
        let balanced = of_kind(
            |object| matches!(object, Object::Service(service) if service.is_load_balancer),
        );
        let slices = of_kind(|object| matches!(object, Object::EndpointSlice(_)));
        let nodes = of_kind(|object| matches!(object, Object::Node(_)));
        lines.push(format!(
            "{}, {balanced} of type LoadBalancer; {}; {}",
            count(services, "service"),
            count(slices, "endpoint slice"),
            count(nodes, "node")
        ));
        lines.extend(self.without_address());
        lines.join("\n") + "\n"
    }

    /// The services that would get no address, and why.
    fn without_address(&self) -> Vec<String> {
        let Some(config) = &self.config else {
            return Vec::new();
        };
        let mut controller = Controller::new(None);
        controller.handle(controller::Input::Config(config.clone()));
        for object in self.objects.values() {
            if let Object::Service(service) = &**object {
                controller.handle(controller::Input::Service(service.clone()));
            }
        }
        controller.handle(controller::Input::Synced);
        while controller.poll_change().is_some() {}
        let services = controller.services();
        services
            .filter_map(|(key, status)| Some(format!("note: service {key}: {}", status.shortfall?)))
            .collect()
    }
}

fn contents(path: &Path) -> Contents {
    match files::read_text(path) {
        Ok(Some(text)) => Contents::Text(text),
        Ok(None) => Contents::Unreadable("does not exist".to_owned()),
        Err(error) => Contents::Unreadable(error.to_string()),
    }
}

fn describe(config: &Config) -> Vec<String> {
    let pools = config.pools.values().map(|pool| {
        let blocks: Vec<String> = pool.blocks.iter().map(ToString::to_string).collect();
        format!("pool {}: {}, {}", pool.name, pool.backend, blocks.join(" "))
    });
    let peers = config.peers.iter().map(|peer| {
        format!(
            "peer {}: AS {}, ours {}",
            peer.address, peer.peer_asn, peer.my_asn
        )
    });
    pools.chain(peers).collect()
}

/// `1 file`, `2 files`.
fn count(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}
