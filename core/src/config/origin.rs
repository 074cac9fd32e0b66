//! Where the text of a configuration stands in the file that the user edits.

use std::sync::Arc;

use crate::yaml::Position;

#[cfg(test)]
mod tests;

/// Where in a file something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Line and column in the file.
    pub position: Position,
    /// Line and column within the text, if the text is quoted or folded in the file in a way that
    /// hides them; `position` is then that of the whole text.
    pub within: Option<Position>,
}

/// The file of a configuration text, and how places of the text become places of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    file: Arc<str>,
    layout: Layout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// The text stands in the file line by line, moved down and to the right.
    Shifted { lines: usize, columns: usize },
    /// The text is quoted or folded: all that is known is where it starts.
    Packed(Position),
}

impl Origin {
    /// A text that is a whole file, or comes from elsewhere under that name (for example
    /// `ConfigMap metallb-system/config`).
    pub fn whole(file: &str) -> Self {
        Self {
            file: file.into(),
            layout: Layout::Shifted {
                lines: 0,
                columns: 0,
            },
        }
    }

    /// A text that stands in a file as it is, with this many lines above it.
    pub fn below(file: &str, lines: usize) -> Self {
        Self {
            file: file.into(),
            layout: Layout::Shifted { lines, columns: 0 },
        }
    }

    /// A text that is a scalar of a YAML file, as `data.config` is in the manifest of a ConfigMap.
    /// `source` is the whole file, with all its documents, and `start` the place of the scalar's
    /// first character in it.
    ///
    /// The lines of a literal block scalar (`config: |`) stand in the file as they are but for the
    /// indentation, so that every place of the text has its place in the file.
    pub fn embedded(file: &str, source: &str, text: &str, start: Position) -> Self {
        Self {
            file: file.into(),
            layout: literal_layout(source, text, start).unwrap_or(Layout::Packed(start)),
        }
    }

    /// The file, or what else the text was read from.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The place in the file of a position in the text.
    pub(super) fn spot(&self, position: Position) -> Spot {
        match self.layout {
            Layout::Shifted { lines, columns } => Spot {
                position: Position {
                    line: position.line + lines,
                    column: position.column + columns,
                },
                within: None,
            },
            Layout::Packed(start) => Spot {
                position: start,
                within: Some(position),
            },
        }
    }
}

/// The layout of a text that is a literal block scalar whose first line that is not blank is at
/// `start`; `None` if the source does not have the text there line by line.
fn literal_layout(source: &str, text: &str, start: Position) -> Option<Layout> {
    let text: Vec<&str> = text.lines().map(str::trim_end).collect();
    let blank = text.iter().take_while(|line| line.is_empty()).count();
    let lines = start.line.checked_sub(blank + 1)?;
    let source = source.lines().skip(lines).map(str::trim_end);
    let source: Vec<&str> = source.take(text.len()).collect();

    let columns = source
        .get(blank)?
        .len()
        .checked_sub(text.get(blank)?.len())?;
    let indent = " ".repeat(columns);
    let is_literal = text.len() == source.len()
        && text.iter().zip(&source).all(|(line, in_source)| {
            line.is_empty() || in_source.strip_prefix(&indent) == Some(line)
        });
    is_literal.then_some(Layout::Shifted { lines, columns })
}
