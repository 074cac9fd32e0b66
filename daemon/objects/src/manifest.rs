//! What is to be written for each kind of objects, and the functions that the table of kinds has of
//! it.

use std::cell::OnceCell;
use std::sync::Arc;

use carillon_core::config::origin::Origin;
use carillon_core::service::ServiceKey;
use carillon_core::yaml::Position;
use serde::de::DeserializeOwned;

use super::Object;
use super::json::{self, ApiObject, Unreadable};
use super::kind::Kind;
use super::metadata::Metadata;
use super::schema::Table;
use super::service::Published;
use super::tree::{FieldError, Value};
use super::validate::{Cursor, Found};

/// An object of one kind, as Kubernetes writes it.
pub(super) trait Manifest: DeserializeOwned {
    /// The fields of its mappings beside the metadata.
    const FIELDS: Table;

    /// Reads it in a file.
    ///
    /// # Errors
    /// A field of it has another type.
    fn read(object: Value<'_>, _document: Document<'_>) -> Result<Self, FieldError> {
        Self::deserialize(object)
    }

    /// Checks what an API server that validates strictly refuses in one, beside unknown fields, and
    /// beside the metadata.
    fn check(_object: &Cursor<'_>, _found: &mut Found) {}

    /// Its metadata.
    fn metadata(&mut self) -> &mut Metadata;

    /// What in it probably means something, and does not say so.
    fn remarks(&self) -> Vec<FieldError> {
        Vec::new()
    }

    /// What it says about the addresses that it has, if it is of a kind that has any.
    fn published(&self) -> Option<Published> {
        None
    }

    /// The object in the core's words, and what in it is not known here.
    ///
    /// # Errors
    /// Each thing that is wrong with it.
    fn convert(self, name: &ServiceKey) -> Result<(Object, Vec<FieldError>), Vec<FieldError>>;
}

/// Where in a file a document stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Document<'a> {
    /// The name of the file.
    pub(super) file: &'a str,
    /// The whole file.
    pub(super) text: &'a str,
    /// How many lines of it are above the document.
    pub(super) lines_above: usize,
    /// The document alone.
    pub(super) alone: &'a str,
    /// The same, for objects that keep it; made when the first one does.
    pub(super) kept: &'a OnceCell<Arc<str>>,
    /// The place of the object in the lists around it, the outermost first.
    pub(super) within: &'a [usize],
}

impl Document<'_> {
    /// The place in the file of a place in the document.
    pub(super) fn in_file(self, position: Position) -> Position {
        Position {
            line: position.line + self.lines_above,
            ..position
        }
    }

    /// The document, to be kept.
    pub(super) fn shared(self) -> Arc<str> {
        Arc::clone(self.kept.get_or_init(|| self.alone.into()))
    }

    /// Where the document stands.
    pub(super) fn whole(self) -> Origin {
        Origin::below(self.file, self.lines_above)
    }

    /// Where a text stands that is a scalar of the document and begins there.
    pub(super) fn origin(self, text: &str, start: Position) -> Origin {
        Origin::embedded(self.file, self.text, text, self.in_file(start))
    }
}

/// The functions of a [`Manifest`].
#[derive(Clone, Copy)]
pub(super) struct Reader {
    /// Its fields.
    pub(super) fields: Table,
    /// See [`Manifest::check`].
    pub(super) check: fn(&Cursor<'_>, &mut Found),
    /// Reads an object of a file, and adds remarks.
    pub(super) document: fn(
        Value<'_>,
        Document<'_>,
        &ServiceKey,
        &mut Vec<FieldError>,
    ) -> Result<Object, Vec<FieldError>>,
    /// Reads an object of the API.
    pub(super) json: fn(Kind, &[u8]) -> Result<ApiObject, Unreadable>,
}

impl Reader {
    /// Those of this type.
    pub(super) const fn of<T: Manifest>() -> Self {
        Self {
            fields: T::FIELDS,
            check: T::check,
            document: read_document::<T>,
            json: json::read_as::<T>,
        }
    }
}

/// In a file, what is not known is wrong.
fn read_document<T: Manifest>(
    object: Value<'_>,
    document: Document<'_>,
    name: &ServiceKey,
    remarks: &mut Vec<FieldError>,
) -> Result<Object, Vec<FieldError>> {
    let object = T::read(object, document).map_err(|error| vec![error])?;
    remarks.extend(object.remarks());
    match object.convert(name)? {
        (object, unknown) if unknown.is_empty() => Ok(object),
        (_, unknown) => Err(unknown),
    }
}
