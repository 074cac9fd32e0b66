//! A YAML document as a tree in which every node knows its line and column.
//!
//! serde reports where a value has the wrong type, but forgets where the value stood; a rule that
//! compares two values, or reports all problems instead of the first, needs the places of both. The
//! tree is bounded: neither depth nor aliases can make a small text expensive.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag, options};

mod encoding;
pub(crate) mod suspects;
#[cfg(test)]
mod tests;

pub use encoding::decode;

/// How much is read at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest text, in bytes.
    pub bytes: usize,
    /// The most nodes, where a node behind an alias counts each time it is referred to.
    pub nodes: usize,
}

impl Limits {
    /// The limits of one object: Kubernetes stores none that is longer.
    pub const OBJECT: Self = Self {
        bytes: 1 << 20,
        nodes: 250_000,
    };
    /// Those of a document of a file: a `List` may hold all objects of a cluster.
    pub const DOCUMENT: Self = Self {
        bytes: 32 << 20,
        nodes: 2_000_000,
    };
}

/// How deep collections may be nested.
const MAX_DEPTH: usize = 64;

/// A place in a text. Both numbers count from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A value and where it starts.
#[derive(Debug)]
pub struct Node {
    /// Where it starts; for a value behind an alias, where the anchored value starts.
    pub position: Position,
    /// The value.
    pub content: Content,
    /// How many nodes this is with all that it contains, aliases expanded.
    nodes: usize,
}

/// The kinds of values. Scalars are not resolved to numbers or booleans: that is up to the reader,
/// who knows what belongs there.
#[derive(Debug)]
pub enum Content {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar.
    Scalar {
        /// The text without quotes and escapes.
        text: String,
        /// Written without quotes, so that it may be a number or boolean.
        plain: bool,
    },
    /// A list.
    Sequence(Vec<Rc<Node>>),
    /// A mapping in the order written, duplicate keys included, merge keys (`<<`) resolved.
    Mapping(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Rc<str>,
    /// Where the key stands.
    pub position: Position,
    /// Its value.
    pub value: Rc<Node>,
}

/// Why a text is no YAML, or none that is accepted here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// Where the parser noticed.
    pub position: Position,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Reads a text with at most one document, within the limits of one object.
///
/// # Errors
/// As [`parse_within`].
pub fn parse(text: &str) -> Result<Option<Rc<Node>>, SyntaxError> {
    parse_within(text, Limits::OBJECT)
}

/// Reads a text with at most one document.
///
/// # Errors
/// The first place that is no YAML, exceeds a limit, or starts a second document.
pub fn parse_within(text: &str, limits: Limits) -> Result<Option<Rc<Node>>, SyntaxError> {
    if text.len() > limits.bytes {
        let position = Position { line: 1, column: 1 };
        let limit = limits.bytes;
        let message = format!("the text is longer than {limit} bytes: split or shorten it");
        return Err(SyntaxError { position, message });
    }
    let options = options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder::new(limits.nodes);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| not_yaml(text, &error))?;
        let result = builder.event(event, &span);
        result.map_err(|error| suspects::explain(text, error, ""))?;
    }
    Ok(builder.root)
}

fn not_yaml(text: &str, error: &ScanError) -> SyntaxError {
    let kind = error.kind().to_string();
    let remedy = if kind.contains("<document start>") {
        "; if another document begins here, write a line `---` above it"
    } else {
        "; check the indentation, and that quotes and brackets are closed"
    };
    let error = SyntaxError {
        position: Position {
            line: error.marker().line(),
            column: error.marker().col() + 1,
        },
        message: format!("not valid YAML: {kind}"),
    };
    suspects::explain(text, error, remedy)
}

/// Builds the tree from the parser's events.
struct Builder {
    max_nodes: usize,
    root: Option<Rc<Node>>,
    open: Vec<Open>,
    /// Complete anchored nodes by the parser's number for them.
    anchors: BTreeMap<usize, Rc<Node>>,
}

/// A collection whose end has not come yet.
struct Open {
    position: Position,
    anchor: usize,
    nodes: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Rc<Node>>),
    Mapping {
        entries: Vec<Entry>,
        merges: Vec<Rc<Node>>,
        key: Option<Key>,
    },
}

/// A key whose value has not come yet.
struct Key {
    text: Rc<str>,
    position: Position,
    is_merge: bool,
}

impl Builder {
    fn new(max_nodes: usize) -> Self {
        let (root, open, anchors) = (None, Vec::new(), BTreeMap::new());
        Self {
            max_nodes,
            root,
            open,
            anchors,
        }
    }

    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), SyntaxError> {
        let position = Position {
            line: span.start.line(),
            column: span.start.col() + 1,
        };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && !is_text(tag.as_deref(), position)?;
                let content = match (plain, text.as_ref()) {
                    (true, "" | "~" | "null" | "Null" | "NULL") => Content::Null,
                    _ => Content::Scalar {
                        text: text.into_owned(),
                        plain,
                    },
                };
                self.complete(content, position, 1, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                is_text(tag.as_deref(), position)?;
                self.start(Items::Sequence(Vec::new()), position, anchor);
                Ok(())
            }
            Event::MappingStart(_, anchor, tag) => {
                is_text(tag.as_deref(), position)?;
                let items = Items::Mapping {
                    entries: Vec::new(),
                    merges: Vec::new(),
                    key: None,
                };
                self.start(items, position, anchor);
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => self.add(Rc::clone(node), position),
                None => Err(refuse(position, "this alias refers to what contains it")),
            },
            // Document and stream marks; comments and unresolved aliases are switched off.
            _ => Ok(()),
        }
    }

    fn start(&mut self, items: Items, position: Position, anchor: usize) {
        self.open.push(Open {
            position,
            anchor,
            nodes: 1,
            items,
        });
    }

    fn end(&mut self) -> Result<(), SyntaxError> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let content = match open.items {
            Items::Sequence(items) => Content::Sequence(items),
            Items::Mapping {
                mut entries,
                merges,
                ..
            } => {
                if !merges.is_empty() {
                    let mut present = entries.iter().map(|e| Rc::clone(&e.key)).collect();
                    for merged in merges {
                        merge(&mut entries, &mut present, &merged, open.position)?;
                    }
                }
                Content::Mapping(entries)
            }
        };
        self.complete(content, open.position, open.nodes, open.anchor)
    }

    fn complete(
        &mut self,
        content: Content,
        position: Position,
        nodes: usize,
        anchor: usize,
    ) -> Result<(), SyntaxError> {
        let node = Rc::new(Node {
            position,
            content,
            nodes,
        });
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.add(node, position)
    }

    /// Puts a complete node where it belongs: into the innermost open collection.
    fn add(&mut self, node: Rc<Node>, position: Position) -> Result<(), SyntaxError> {
        let Some(open) = self.open.last_mut() else {
            return self.add_root(node);
        };
        open.nodes += node.nodes;
        if open.nodes > self.max_nodes {
            let limit = self.max_nodes;
            let message = format!("more than {limit} values, aliases counted: simplify it");
            return Err(SyntaxError { position, message });
        }
        match &mut open.items {
            Items::Sequence(items) => items.push(node),
            Items::Mapping {
                entries,
                merges,
                key,
            } => match key.take() {
                None => *key = Some(as_key(&node, position)?),
                Some(key) if key.is_merge => merges.push(node),
                Some(key) => entries.push(Entry {
                    key: key.text,
                    position: key.position,
                    value: node,
                }),
            },
        }
        Ok(())
    }

    fn add_root(&mut self, node: Rc<Node>) -> Result<(), SyntaxError> {
        if matches!(node.content, Content::Null) {
            return Ok(());
        }
        if self.root.is_some() {
            let message = "a second YAML document starts here: keep one, and remove the \"---\"";
            return Err(refuse(node.position, message));
        }
        self.root = Some(node);
        Ok(())
    }
}

/// Whether a tag makes a plain scalar a text. Tags beyond YAML's own mean nothing here.
fn is_text(tag: Option<&Tag>, position: Position) -> Result<bool, SyntaxError> {
    match tag {
        None => Ok(false),
        Some(tag) if tag.is_yaml_core_schema() => Ok(tag.is_yaml_core_schema_tag("str")),
        Some(_) => Err(refuse(
            position,
            "custom YAML tags are not supported: remove the tag (the word that starts with \"!\")",
        )),
    }
}

fn as_key(node: &Node, position: Position) -> Result<Key, SyntaxError> {
    let Content::Scalar { text, plain } = &node.content else {
        return Err(refuse(position, "a key must be a plain word"));
    };
    Ok(Key {
        text: text.as_str().into(),
        position,
        is_merge: *plain && text == "<<",
    })
}

/// Adds the entries of a mapping (or of each of a list of mappings) behind `<<` whose keys are not
/// `present` yet.
fn merge(
    entries: &mut Vec<Entry>,
    present: &mut BTreeSet<Rc<str>>,
    merged: &Node,
    position: Position,
) -> Result<(), SyntaxError> {
    match &merged.content {
        Content::Mapping(more) => {
            let new = more.iter().filter(|entry| !present.contains(&entry.key));
            let new: Vec<Entry> = new.cloned().collect();
            present.extend(new.iter().map(|entry| Rc::clone(&entry.key)));
            entries.extend(new);
            Ok(())
        }
        Content::Sequence(list) if list.iter().all(|node| is_mapping(node)) => list
            .iter()
            .try_for_each(|node| merge(entries, present, node, position)),
        _ => {
            let message = "the merge key \"<<\" takes a mapping: write for example <<: *defaults";
            Err(refuse(position, message))
        }
    }
}

fn is_mapping(node: &Node) -> bool {
    matches!(node.content, Content::Mapping(_))
}

fn refuse(position: Position, message: &str) -> SyntaxError {
    SyntaxError {
        position,
        message: message.to_owned(),
    }
}
