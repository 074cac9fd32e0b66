//! `carillon migrate`: MetalLB's ConfigMap as resources.
//!
//! ```text
//!  ConfigMap ──legacy──▶ Draft ──resources──▶ YAML ──as a daemon reads it──▶ refused?
//! ```
//!
//! Nothing is printed that a daemon would not take.

use std::collections::BTreeSet;
use std::io::{self, Read, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use carillon_core::config::legacy;
use carillon_core::config::origin::Origin;
use carillon_core::service::ServiceKey;
use carillon_objects::{ConfigText, Object, ObjectKey, RENUMBER, Setting};
use carillon_source_files as files;

use crate::backends;
use crate::cli::MigrateArgs;
use crate::settings::Settings;

mod names;
mod profiles;
mod resources;
#[cfg(test)]
mod tests;

/// Prints the resources, and what of the ConfigMap they do not say.
///
/// # Errors
/// The file cannot be read, or has no configuration.
pub(crate) fn run(args: &MigrateArgs) -> Result<ExitCode> {
    let (key, text) = read(&args.path, &args.config.key(), &mut io::stdin())?;
    match migrate(&key, &text) {
        Ok(migration) => {
            for note in &migration.notes {
                writeln!(io::stderr(), "note: {note}")?;
            }
            io::stdout().write_all(migration.text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(errors) => {
            for error in &errors {
                writeln!(io::stderr(), "{error}")?;
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The resources.
#[derive(Debug)]
struct Migration {
    /// As documents of YAML.
    text: String,
    /// What of the ConfigMap they do not say, or say otherwise.
    notes: Vec<String>,
}

/// The ConfigMap of a file, or a configuration outside of one, which gets this key.
fn read(path: &Path, key: &ObjectKey, stdin: &mut dyn Read) -> Result<(ServiceKey, ConfigText)> {
    let (label, text) = if path == Path::new("-") {
        let text = files::read_from(stdin).context("cannot read the standard input")?;
        (Arc::from("<stdin>"), text)
    } else {
        let label = files::label(path);
        let text = files::read_text(path).with_context(|| format!("cannot read {label}"))?;
        let text = text.with_context(|| format!("there is no file {label}"))?;
        (label, text)
    };
    if carillon_objects::is_configuration(&text) {
        let origin = Origin::whole(&label);
        let renumber = None;
        let text = ConfigText {
            text,
            origin,
            renumber,
        };
        return Ok((key.name.clone(), text));
    }
    let found = carillon_objects::parse(&label, &text);
    let mut errors = Vec::new();
    let mut maps = Vec::new();
    for parsed in found.objects {
        match parsed.object {
            Ok(Object::Setting(Setting::ConfigMap(text))) => {
                let name = parsed.key.map(|key| key.name);
                maps.push((name.unwrap_or_else(|| key.name.clone()), text));
            }
            Ok(_) => {}
            Err(wrong) => errors.extend(
                wrong
                    .into_iter()
                    .map(|(at, message)| format!("{label}:{}:{}: {message}", at.line, at.column)),
            ),
        }
    }
    if !errors.is_empty() {
        bail!("{}", errors.join("\n"));
    }
    one_of(maps, key, &label)
}

/// Of several ConfigMaps the one that a daemon would read.
fn one_of(
    mut maps: Vec<(ServiceKey, Arc<ConfigText>)>,
    key: &ObjectKey,
    label: &str,
) -> Result<(ServiceKey, ConfigText)> {
    let names: BTreeSet<String> = maps.iter().map(|(name, _)| name.to_string()).collect();
    let wanted = &key.name;
    if maps.len() > 1 {
        maps.retain(|(name, _)| name == wanted);
    }
    match (maps.pop(), maps.is_empty()) {
        (Some((name, text)), true) => Ok((name, ConfigText::clone(&text))),
        (Some(_), false) => bail!("{label} has the ConfigMap {wanted} more than once: leave one"),
        (None, _) if names.is_empty() => bail!(
            "{label} has no ConfigMap with a configuration: give that of MetalLB, as \
             `kubectl get configmap -n {} {} -o yaml` prints it",
            wanted.namespace(),
            wanted.name()
        ),
        (None, _) => bail!(
            "{label} has several ConfigMaps, none of which is {wanted}: say which of {} by \
             --config-name and --config-namespace",
            Vec::from_iter(names).join(", ")
        ),
    }
}

/// The resources that say what this configuration says.
fn migrate(key: &ServiceKey, configuration: &ConfigText) -> Result<Migration, Vec<String>> {
    let backends = backends::names();
    // That BFD is not supported refuses a ConfigMap; a resource goes without it.
    let is_wrong = |message: &str| !message.ends_with(legacy::NO_BFD);
    let (text, origin) = (&configuration.text, &configuration.origin);
    if let Err(errors) = legacy::parse(text, origin, &backends) {
        let wrong = errors.iter().filter(|error| is_wrong(&error.message));
        let wrong: Vec<_> = wrong.map(ToString::to_string).collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
    }
    let draft = legacy::draft(text, origin, &backends);
    let draft =
        draft.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let profiles = profiles::read(text);
    let made = resources::of(&draft, &profiles, key.namespace());
    let documents = made.documents.iter().map(serde_saphyr::to_string);
    let documents = documents.collect::<Result<Vec<_>, _>>();
    let documents = documents.map_err(|error| vec![error.to_string()])?;
    let text = format!(
        "# Made by `carillon migrate` of the ConfigMap {key}.\n{}",
        documents.join("---\n")
    );
    let refused = refused(key, &text, &backends);
    if refused.is_empty() {
        let mut notes = made.notes;
        notes.extend(configuration.renumber.as_ref().map(|_| {
            format!(
                "the annotation {RENUMBER} means nothing to resources: without a ConfigMap beside \
                 them, a pool that is changed takes its addresses along"
            )
        }));
        Ok(Migration { text, notes })
    } else {
        Err(refused)
    }
}

/// What a daemon would refuse of these resources: what cannot be said by them.
fn refused(key: &ServiceKey, text: &str, backends: &[&'static str]) -> Vec<String> {
    const FILE: &str = "as a resource";
    let mut refused = BTreeSet::new();
    let map = ObjectKey::config_map(key.namespace(), key.name());
    let mut settings = Settings::new(map, true);
    for parsed in carillon_objects::parse(FILE, text).objects {
        match (parsed.key, parsed.object) {
            (Some(key), Ok(Object::Setting(setting))) => {
                settings.set(&key, &setting);
            }
            (key, Err(wrong)) => {
                let key = key.map(|key| key.to_string()).unwrap_or_default();
                refused.extend(
                    wrong
                        .into_iter()
                        .map(|(_, message)| format!("{FILE}: {key}: {message}")),
                );
            }
            (_, Ok(_)) => {}
        }
    }
    let configured = settings.assemble(backends);
    let texts = configured.into_iter().flat_map(|one| one.refused);
    refused.extend(texts.map(|refusal| refusal.text));
    refused.into_iter().collect()
}
