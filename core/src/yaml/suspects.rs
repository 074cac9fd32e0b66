//! What people do not see when they look for an error: characters that look like others or like
//! nothing, marks that are nearly right, and templates that were to be rendered.

use super::{Position, SyntaxError};

/// In how many lines above the place where a parser noticed something its cause is looked for.
const LINES_ABOVE: usize = 3;
/// The most characters of a template that a message repeats.
const MAX_SHOWN: usize = 40;

/// A character that is not what it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Suspect {
    character: char,
    name: &'static str,
    /// What to do, as a request.
    remedy: &'static str,
    /// It looks like a space or like nothing.
    invisible: bool,
}

impl Suspect {
    fn of(character: char) -> Option<Self> {
        let (name, remedy, invisible) = match character {
            '\u{a0}' | '\u{202f}' => ("a no-break space", "write a space", true),
            '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{205f}' | '\u{3000}' => {
                ("a space of a special width", "write a space", true)
            }
            '\u{200b}' => ("a zero-width space", "remove it", true),
            '\u{feff}' => ("a byte order mark", "remove it", true),
            '\u{ad}' => ("a soft hyphen", "remove it", true),
            '\u{180e}'
            | '\u{200c}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' => ("a character without a width", "remove it", true),
            '\u{85}' | '\u{2028}' | '\u{2029}' => {
                ("a special end of a line", "write an ordinary one", true)
            }
            '“' | '”' | '„' | '‟' | '«' | '»' => {
                ("a typographic quote", "write \"", false)
            }
            '‘' | '’' | '‚' | '‛' => ("a typographic quote", "write '", false),
            '‐'..='―' | '−' => ("a typographic dash", "write -", false),
            '：' => ("a wide colon", "write :", false),
            other if other.is_control() && !matches!(other, '\n' | '\r' | '\t') => {
                ("a control character", "remove it", true)
            }
            _ => return None,
        };
        Some(Self {
            character,
            name,
            remedy,
            invisible,
        })
    }

    /// `a no-break space (U+00A0), which cannot be seen: write a space`.
    fn told(self) -> String {
        let unseen = if self.invisible {
            ", which cannot be seen"
        } else {
            ""
        };
        let (name, number, remedy) = (self.name, u32::from(self.character), self.remedy);
        format!("{name} (U+{number:04X}){unseen}: {remedy}")
    }
}

/// What a reader of this value may have overlooked.
pub(crate) fn remark(value: &str) -> Option<String> {
    if ["{{", "}}", "{%", "${", "$(", "<%"]
        .iter()
        .any(|mark| value.contains(mark))
    {
        return Some("a template that was not rendered".to_owned());
    }
    let suspect = value.chars().find_map(Suspect::of)?;
    Some(format!("it has {}", suspect.told()))
}

/// A syntax error with what has probably caused it, and the place of that, if there is something
/// that cannot be seen; otherwise with the remedy.
pub(super) fn explain(text: &str, error: SyntaxError, remedy: &str) -> SyntaxError {
    let message = error.message;
    match cause(text, error.position) {
        Some((position, cause)) => SyntaxError {
            position,
            message: format!("{message}; here is {cause}"),
        },
        None => SyntaxError {
            position: error.position,
            message: format!("{message}{remedy}"),
        },
    }
}

fn cause(text: &str, noticed: Position) -> Option<(Position, String)> {
    let numbered = text.split('\n').zip(1..).take(noticed.line);
    let mut last: Vec<(&str, usize)> = Vec::new();
    for (line, number) in numbered {
        if line.trim().is_empty() && number != noticed.line {
            continue;
        }
        if last.len() > LINES_ABOVE {
            last.remove(0);
        }
        last.push((line, number));
    }
    last.iter()
        .rev()
        .enumerate()
        .find_map(|(above, (line, number))| {
            let found = cause_in(line, *number == noticed.line).or_else(|| slip(line, above));
            let (index, cause) = found?;
            let column = line.get(..index)?.chars().count() + 1;
            let line = *number;
            Some((Position { line, column }, cause))
        })
}

/// What is suspicious in a line, and where. What can be seen is only so if the parser has noticed
/// something in this very line.
fn cause_in(line: &str, is_noticed: bool) -> Option<(usize, String)> {
    if let Some(index) = ["{{", "{%"].iter().filter_map(|mark| line.find(mark)).min() {
        let shown: String = line
            .get(index..)?
            .trim_end()
            .chars()
            .take(MAX_SHOWN)
            .collect();
        let cause = format!("a template that was not rendered, {shown:?}: render it first");
        return Some((index, cause));
    }
    let code = without_comment(line);
    let suspects = code.char_indices().rev().filter_map(|(index, character)| {
        let suspect = Suspect::of(character)?;
        (suspect.invisible || is_noticed).then(|| (index, suspect.told()))
    });
    let tab = || {
        let indentation = code.len() - code.trim_start_matches([' ', '\t', '-']).len();
        let index = code.get(..indentation)?.find('\t')?;
        let cause = "a tab in the indentation, which cannot be told from spaces: write spaces";
        Some((index, cause.to_owned()))
    };
    suspects.chain(tab()).next()
}

/// A mark that is nearly right, in the line so many above the place where the parser noticed it. For
/// it is what follows that does not fit.
fn slip(line: &str, above: usize) -> Option<(usize, String)> {
    let line = without_comment(line).trim_end();
    let text = line.trim_start();
    let start = line.len() - text.len();
    let is_conflict =
        text.starts_with("<<<<<<<") || text.starts_with(">>>>>>>") || text == "=======";
    let is_dashes = text.len() > 1 && text.bytes().all(|byte| byte == b'-');
    if is_conflict {
        return Some((
            start,
            "the mark of a conflict of versions: resolve it".to_owned(),
        ));
    }
    if is_dashes && (start > 0 || text.len() != 3) {
        let cause = "a line of hyphens: write `---`, not indented, between two documents";
        return Some((start, cause.to_owned()));
    }
    // What is written alike can be right, too, and then the error is another.
    if above > 1 {
        return None;
    }
    let text = text.trim_start_matches(['-', ' ']);
    let start = line.len() - text.len();
    let end = text.find(|c: char| !c.is_ascii_alphanumeric())?;
    let (word, rest) = text.split_at_checked(end)?;
    let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_value =
        |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || "\"'[{".contains(c));
    if let Some(value) = rest.strip_prefix(':') {
        let is_one = is_word && is_value(value) && !value.contains(": ");
        let cause = "a colon without a space behind it";
        return is_one.then(|| (start + end, cause.to_owned()));
    }
    let value = rest.trim_start().strip_prefix('=')?;
    let is_one = is_word && is_value(value.trim_start()) && !value.contains(':');
    let index = line.find('=')?;
    is_one.then(|| {
        (
            index,
            "an equals sign: write a colon and a space".to_owned(),
        )
    })
}

/// A line without the comment at its end, if it has one; a `#` in quotes may be taken for one.
fn without_comment(line: &str) -> &str {
    let starts = |index: usize| {
        let before = line
            .get(..index)
            .and_then(|before| before.chars().next_back());
        before.is_none_or(char::is_whitespace)
    };
    let mut hashes = line.match_indices('#').map(|(index, _)| index);
    let end = hashes.find(|index| starts(*index)).unwrap_or(line.len());
    line.get(..end).unwrap_or(line)
}
