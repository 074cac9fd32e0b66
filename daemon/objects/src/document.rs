//! A file's text: its documents, the objects in them, and what is wrong with each.

use std::cell::OnceCell;

use carillon_core::config::error::suggest;
use carillon_core::yaml::{self, Content, Limits, Position};
use serde::Deserialize;

use super::manifest::Document;
use super::metadata::{self, Identity};
use super::metallb::WRITTEN_BY_PROGRAMS;
use super::names::Names;
use super::tree::{FieldError, Path, Value, shown};
use super::{Kind, Object, ObjectKey, schema, validate};

#[cfg(test)]
mod tests;

/// One object of a file, or a part of it that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Which object it is; `None` when not even that can be told.
    pub key: Option<ObjectKey>,
    /// Where it begins.
    pub at: Position,
    /// The object, or each thing that is wrong with it and where.
    pub object: Result<Object, Vec<(Position, String)>>,
}

/// Something in a file that is not wrong, but probably meant otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The object, if it is of a kind that Carillon reads.
    pub key: Option<ObjectKey>,
    /// Where it stands.
    pub at: Position,
    /// What it is, and what would be right.
    pub message: String,
}

/// What is in a file.
#[derive(Debug, Default)]
pub struct Findings {
    /// Its objects.
    pub objects: Vec<Parsed>,
    /// What is to say beside them.
    pub notes: Vec<Note>,
}

/// Reads every object that Carillon uses out of a file of YAML or JSON documents; other kinds are
/// passed over. What is wrong in one object has no effect on the others.
pub fn parse(file: &str, text: &str) -> Findings {
    let mut found = Findings::default();
    let mut names = Names::default();
    for (lines_above, document) in documents(text) {
        let kept = OnceCell::new();
        let at = Document {
            file,
            text,
            lines_above,
            alone: document,
            kept: &kept,
            within: &[],
        };
        let mut reader = Reader {
            at,
            within: Vec::new(),
            names: &mut names,
            found: &mut found,
        };
        match yaml::parse_within(document, Limits::DOCUMENT) {
            Ok(Some(root)) => reader.objects_of(Value(&root)),
            Ok(None) => {}
            Err(error) => {
                reader.refuse(None, error.position, vec![(error.position, error.message)]);
            }
        }
    }
    found
}

/// The documents of a text, each with the number of lines above it. A line that begins with `---`
/// always begins a document, and one with `...` ends it, even inside of a quoted or block scalar
/// (YAML 1.2.2, 9.1.2).
fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut lines_above, mut has_content) = (0, 0, false);
    let mut end = 0;
    for (n, line) in text.split_inclusive('\n').enumerate() {
        let begins = is_marker(line, "---");
        if begins && has_content {
            documents.extend(text.get(start..end).map(|document| (lines_above, document)));
            (start, lines_above) = (end, n);
        }
        end += line.len();
        let trimmed = line.trim();
        has_content =
            begins || has_content || !(trimmed.is_empty() || trimmed.starts_with(['#', '%']));
        if is_marker(line, "...") {
            documents.extend(text.get(start..end).map(|document| (lines_above, document)));
            (start, lines_above, has_content) = (end, n + 1, false);
        }
    }
    if has_content {
        documents.extend(text.get(start..).map(|document| (lines_above, document)));
    }
    documents
}

/// Whether a file has nothing but white space, comments and marks between documents.
pub fn is_blank(text: &str) -> bool {
    text.lines().all(|line| {
        let line = line.trim();
        matches!(line, "" | "---" | "...") || line.starts_with(['#', '%'])
    })
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    api_version: Option<String>,
    kind: Option<String>,
}

/// An object of which only the name is of interest.
#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) metadata: Identity,
}

/// One document being read.
struct Reader<'a> {
    at: Document<'a>,
    /// The place of the object in the lists around it.
    within: Vec<usize>,
    names: &'a mut Names,
    found: &'a mut Findings,
}

impl Reader<'_> {
    fn objects_of(&mut self, root: Value<'_>) {
        if let Some(error) = second_header(root) {
            return self.refuse_fields(None, root, vec![error]);
        }
        let header = match Header::deserialize(root) {
            Ok(header) => header,
            Err(error) => return self.refuse_fields(None, root, vec![error]),
        };
        let kind = header.kind.unwrap_or_default();
        let api_version = header.api_version.unwrap_or_default();
        match (
            kind.strip_suffix("List"),
            root.get("items").and_then(Value::items),
        ) {
            (Some(""), Some(items)) => {
                self.each(items, |reader, item| reader.objects_of(item));
            }
            (Some(kind), Some(items)) => {
                self.each(items, |reader, item| {
                    reader.object(item, &api_version, kind);
                });
            }
            _ => self.object(root, &api_version, &kind),
        }
    }

    fn each<'b>(
        &mut self,
        items: impl Iterator<Item = Value<'b>>,
        read: impl Fn(&mut Self, Value<'b>),
    ) {
        for (n, item) in items.enumerate() {
            self.within.push(n);
            read(self, item);
            self.within.pop();
        }
    }

    fn object(&mut self, value: Value<'_>, api_version: &str, kind: &str) {
        if let Some(error) = misspelt_header(value, api_version, kind) {
            return self.refuse_fields(None, value, vec![error]);
        }
        if let Err(message) = check_header(api_version, kind) {
            let error = FieldError::new(Path::default(), message);
            return self.refuse_fields(None, value, vec![error]);
        }
        if (api_version, kind) == ("v1", "Endpoints") {
            return self.note_endpoints(value);
        }
        let Some(kind) = Kind::of(api_version, kind) else {
            return;
        };
        let mut key = match key_of(value, kind) {
            Ok(key) => key,
            Err(error) => return self.refuse_fields(None, value, vec![error]),
        };
        let mut errors = metadata::validate::names(kind, &key.name);
        // Of one with a wrong name nobody can tell which it is.
        let known = errors.is_empty().then(|| key.clone());
        errors.extend(schema::errors(kind, value));
        let checked = validate::check(kind, value);
        errors.extend(checked.errors);
        self.note(known.as_ref(), value, &checked.notes);
        let mut remarks = Vec::new();
        let at = Document {
            within: &self.within,
            ..self.at
        };
        let read = (kind.info().reader.document)(value, at, &key.name, &mut remarks);
        self.note(Some(&key), value, &remarks);
        match read {
            Ok(mut object) if errors.is_empty() => {
                self.names.share(&mut key, &mut object);
                let at = self.at.in_file(value.0.position);
                let (key, object) = (Some(key), Ok(object));
                self.found.objects.push(Parsed { key, at, object });
            }
            Ok(_) => self.refuse_fields(known, value, errors),
            Err(more) => {
                let more = more.into_iter().filter(|error| !errors.contains(error));
                errors.extend(more.collect::<Vec<_>>());
                self.refuse_fields(known, value, errors);
            }
        }
    }

    /// Endpoints are what EndpointSlices were before; the API server makes these of them.
    fn note_endpoints(&mut self, value: Value<'_>) {
        let Ok(Named { metadata }) = Named::deserialize(value) else {
            return;
        };
        if let Ok(key) = metadata.key() {
            let at = self.at.in_file(value.0.position);
            let service = key.name();
            let message = format!(
                "Endpoints {key}: this kind is passed over: write an EndpointSlice \
                 (discovery.k8s.io/v1) with the label kubernetes.io/service-name: {service}"
            );
            let key = None;
            self.found.notes.push(Note { key, at, message });
        }
    }

    fn note(&mut self, key: Option<&ObjectKey>, value: Value<'_>, remarks: &[FieldError]) {
        let notes = remarks.iter().map(|remark| Note {
            key: key.cloned(),
            at: self.at.in_file(value.place(remark)),
            message: remark.to_string(),
        });
        let notes: Vec<Note> = notes.collect();
        self.found.notes.extend(notes);
    }

    fn refuse_fields(&mut self, key: Option<ObjectKey>, value: Value<'_>, errors: Vec<FieldError>) {
        let place = |error: FieldError| (value.place(&error), error.to_string());
        let mut errors: Vec<_> = errors.into_iter().map(place).collect();
        errors.sort();
        // A value that is read twice is told twice.
        errors.dedup();
        self.refuse(key, value.0.position, errors);
    }

    fn refuse(&mut self, key: Option<ObjectKey>, at: Position, errors: Vec<(Position, String)>) {
        let at = self.at.in_file(at);
        let errors = errors
            .into_iter()
            .map(|(at, message)| (self.at.in_file(at), message));
        let object = Err(errors.collect());
        self.found.objects.push(Parsed { key, at, object });
    }
}

fn key_of(value: Value<'_>, kind: Kind) -> Result<ObjectKey, FieldError> {
    let name = Named::deserialize(value)?.metadata.key()?;
    Ok(kind.key(name))
}

/// A second object in the same document.
fn second_header(value: Value<'_>) -> Option<FieldError> {
    let Content::Mapping(entries) = &value.0.content else {
        return None;
    };
    let mut headers = entries
        .iter()
        .filter(|entry| matches!(&*entry.key, "apiVersion" | "kind"));
    let second = headers.find(|entry| {
        let is_same = |other: &&yaml::Entry| other.key == entry.key;
        entries.iter().find(is_same).map(|other| other.position) != Some(entry.position)
    })?;
    let message = "is there twice: if another object begins here, write a line `---` above it";
    let path = Path::fields(&[&second.key]);
    Some(FieldError::at(path, second.position, message))
}

/// A field of the header that is there under another name only.
fn misspelt_header(value: Value<'_>, api_version: &str, kind: &str) -> Option<FieldError> {
    let Content::Mapping(entries) = &value.0.content else {
        return None;
    };
    let missing = [("apiVersion", api_version), ("kind", kind)];
    let missing = missing.into_iter().filter(|(_, value)| value.is_empty());
    let missing: Vec<&str> = missing.map(|(field, _)| field).collect();
    entries.iter().find_map(|entry| {
        let meant = suggest(&entry.key, &missing).filter(|meant| **meant != *entry.key)?;
        let path = Path::fields(&[&entry.key]);
        let message = format!("unknown field, did you mean {meant:?}?");
        Some(FieldError::at(path, entry.position, message))
    })
}

/// A kind that Carillon would use, but cannot, is an error and not one of the many kinds to pass
/// over.
fn check_header(api_version: &str, kind: &str) -> Result<(), String> {
    if kind.is_empty() {
        return Err(
            "not a Kubernetes object: the field `kind` is missing (a bare MetalLB configuration \
             belongs into a ConfigMap, below `data: {config: |`)"
                .to_owned(),
        );
    }
    let (shown_version, shown_kind) = (shown(api_version), shown(kind));
    if api_version.is_empty() {
        return Err(format!(
            "{shown_kind}: the field `apiVersion` is missing, for example `apiVersion: v1`"
        ));
    }
    if let Some((right_version, right_kind)) = Kind::meant(api_version, kind) {
        return Err(format!(
            "Kubernetes has no {shown_kind} in {shown_version}; write `apiVersion: {right_version}` and \
             `kind: {right_kind}`"
        ));
    }
    let is_ours = Kind::of(api_version, kind).is_some() || WRITTEN_BY_PROGRAMS.contains(&kind);
    if api_version.starts_with("metallb.io/") && !is_ours {
        let kinds = Kind::in_files().filter(|kind| kind.info().is_custom());
        let kinds: Vec<String> = kinds.map(|kind| kind.to_string()).collect();
        return Err(format!(
            "{shown_kind} ({shown_version}) is not known; known are {}",
            kinds.join(", ")
        ));
    }
    Ok(())
}
