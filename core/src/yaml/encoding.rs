//! From the octets of a file to its text (YAML 1.2.2, 5.2).

use super::{Position, SyntaxError};

/// How characters are written as octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16(Order),
    Utf32(Order),
}

/// Which octet of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Big,
    Little,
}

/// The text of a file in UTF-8, UTF-16 or UTF-32, without its byte order mark. A carriage return alone
/// ends a line (YAML 1.2.2, 5.4), and is a line feed here.
///
/// # Errors
/// The place of the first octets that are no character in the file's encoding.
pub fn decode(octets: Vec<u8>) -> Result<String, SyntaxError> {
    let text = characters(octets)?;
    let mut rest = text.as_str();
    let Some(mut at) = lone_return(rest) else {
        return Ok(text);
    };
    let mut lines = String::with_capacity(text.len());
    loop {
        let (line, more) = rest.split_at_checked(at).unwrap_or_default();
        lines.push_str(line);
        lines.push('\n');
        rest = more.get(1..).unwrap_or_default();
        match lone_return(rest) {
            Some(next) => at = next,
            None => break,
        }
    }
    lines.push_str(rest);
    Ok(lines)
}

/// Where the first carriage return is that no line feed follows.
fn lone_return(text: &str) -> Option<usize> {
    let mut returns = text.match_indices('\r').map(|(at, _)| at);
    returns.find(|at| text.as_bytes().get(at + 1) != Some(&b'\n'))
}

fn characters(mut octets: Vec<u8>) -> Result<String, SyntaxError> {
    let (encoding, mark) = encoding(&octets);
    let rest = octets.get(mark..).unwrap_or_default();
    match encoding {
        Encoding::Utf8 => {
            octets.drain(..mark);
            String::from_utf8(octets).map_err(|error| {
                let wrong = error.utf8_error().valid_up_to();
                let octets = error.into_bytes();
                let (valid, rest) = octets.split_at_checked(wrong).unwrap_or_default();
                let octet = rest.first().copied().unwrap_or_default();
                let message = format!("the byte 0x{octet:02x} is not UTF-8");
                not_text(&String::from_utf8_lossy(valid), &message)
            })
        }
        Encoding::Utf16(order) => {
            let units = rest.chunks_exact(2);
            let is_cut = !units.remainder().is_empty();
            let units = units.filter_map(|unit| unit.try_into().ok());
            let units = units.map(|unit| match order {
                Order::Big => u16::from_be_bytes(unit),
                Order::Little => u16::from_le_bytes(unit),
            });
            let characters = char::decode_utf16(units);
            collect(characters.map(Result::ok), is_cut, "UTF-16")
        }
        Encoding::Utf32(order) => {
            let units = rest.chunks_exact(4);
            let is_cut = !units.remainder().is_empty();
            let units = units.filter_map(|unit| unit.try_into().ok());
            let units = units.map(|unit| match order {
                Order::Big => u32::from_be_bytes(unit),
                Order::Little => u32::from_le_bytes(unit),
            });
            collect(units.map(char::from_u32), is_cut, "UTF-32")
        }
    }
}

/// The encoding of a file, and how long its byte order mark is. A file without one is told by the
/// zeros of its first character, which is one of ASCII.
fn encoding(octets: &[u8]) -> (Encoding, usize) {
    match octets {
        [0, 0, 0xfe, 0xff, ..] => (Encoding::Utf32(Order::Big), 4),
        [0, 0, 0, _, ..] => (Encoding::Utf32(Order::Big), 0),
        [0xff, 0xfe, 0, 0, ..] => (Encoding::Utf32(Order::Little), 4),
        [_, 0, 0, 0, ..] => (Encoding::Utf32(Order::Little), 0),
        [0xfe, 0xff, ..] => (Encoding::Utf16(Order::Big), 2),
        [0, _, ..] => (Encoding::Utf16(Order::Big), 0),
        [0xff, 0xfe, ..] => (Encoding::Utf16(Order::Little), 2),
        [_, 0, ..] => (Encoding::Utf16(Order::Little), 0),
        [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
        _ => (Encoding::Utf8, 0),
    }
}

/// The text of these characters; `None` is what is none, and `is_cut` says that octets are left.
fn collect(
    characters: impl Iterator<Item = Option<char>>,
    is_cut: bool,
    encoding: &str,
) -> Result<String, SyntaxError> {
    let mut text = String::new();
    for character in characters {
        match character {
            Some(character) => text.push(character),
            None => return Err(not_text(&text, &format!("what follows is not {encoding}"))),
        }
    }
    if is_cut {
        let message = format!("the file, which is {encoding}, ends within a character");
        return Err(not_text(&text, &message));
    }
    Ok(text)
}

/// An error behind what could be read.
fn not_text(valid: &str, message: &str) -> SyntaxError {
    let (mut line, mut column) = (1, 1);
    for character in valid.chars() {
        (line, column) = match character {
            '\n' => (line + 1, 1),
            _ => (line, column + 1),
        };
    }
    SyntaxError {
        position: Position { line, column },
        message: format!("{message}: save the file as UTF-8 text"),
    }
}
