//! NOTIFICATION (RFC 4271 sections 4.5 and 6).

use std::fmt;

use super::cursor::Cursor;
use super::header::{HEADER_LEN, MAX_LEN, MessageType, put_message};

mod reason;
#[cfg(test)]
mod tests;

pub use reason::Reason;

/// The longest Shutdown Communication in octets (RFC 9003 section 2).
const MAX_COMMUNICATION: usize = 255;
/// How much of the data is shown where it has no text.
const SHOWN_DATA: usize = 32;
/// The shortest data that is taken for a text: shorter ones are numbers, for instance the AS number
/// or the hold time that is not wanted.
const SHORTEST_TEXT: usize = 5;

/// The reason for which a session ends, as it stands on the wire.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// | Error code    | Error subcode |   Data (variable)             |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// Its `Display` is one line without control characters, whatever the peer has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Error code.
    pub code: u8,
    /// Error subcode.
    pub subcode: u8,
    /// Data, whose meaning depends on the codes.
    pub data: Vec<u8>,
}

impl Notification {
    /// A NOTIFICATION without data.
    pub fn new(reason: Reason) -> Self {
        Self::with_data(reason, Vec::new())
    }

    /// A NOTIFICATION with data; what does not fit in a message is cut off.
    pub fn with_data(reason: Reason, mut data: Vec<u8>) -> Self {
        data.truncate(MAX_LEN - HEADER_LEN - 2);
        let (code, subcode) = reason.codes();
        Self {
            code,
            subcode,
            data,
        }
    }

    /// A Cease with a Shutdown Communication (RFC 9003): for `AdministrativeShutdown` and
    /// `AdministrativeReset`. A longer text is cut to 255 octets, at the end of a character.
    pub fn with_communication(reason: Reason, text: &str) -> Self {
        let mut data = Vec::new();
        super::cursor::put_field8(&mut data, |out| out.extend(cut(text).as_bytes()));
        Self::with_data(reason, data)
    }

    /// What the codes mean, if they are registered.
    pub fn reason(&self) -> Option<Reason> {
        Reason::from_codes(self.code, self.subcode)
    }

    /// The Shutdown Communication, if it is there, not empty, and valid (RFC 9003). It may hold any
    /// character; [`Notification`]'s `Display` shows it safely.
    pub fn communication(&self) -> Option<&str> {
        match self.reason()? {
            Reason::AdministrativeShutdown | Reason::AdministrativeReset => {
                let text = Cursor::new(&self.data).field8()?;
                std::str::from_utf8(text)
                    .ok()
                    .filter(|text| !text.is_empty())
            }
            _ => None,
        }
    }

    /// The data if it is a text, though no RFC has one for these codes: routers say so what they miss.
    fn text(&self) -> Option<&str> {
        if self.data.len() < SHORTEST_TEXT {
            return None;
        }
        let field = match self.data.split_first() {
            Some((length, rest)) if rest.len() == usize::from(*length) => rest,
            Some(_) | None => &self.data,
        };
        let text = std::str::from_utf8(field).ok()?;
        let text = text.trim_end_matches(['\0', '\r', '\n']);
        let is_text = text.len() >= SHORTEST_TEXT && !text.contains(char::is_control);
        is_text.then_some(text)
    }

    /// Decodes the body of a NOTIFICATION. An error in it could not be reported to the peer anyway
    /// (RFC 4271 section 6.4); unknown codes are kept.
    pub(super) fn decode(body: &[u8]) -> Self {
        let mut cursor = Cursor::new(body);
        Self {
            code: cursor.u8().unwrap_or_default(),
            subcode: cursor.u8().unwrap_or_default(),
            data: cursor.rest().to_vec(),
        }
    }

    /// Appends the message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_message(MessageType::Notification, out, |out| {
            out.extend([self.code, self.subcode]);
            out.extend(self.data.iter().take(MAX_LEN - HEADER_LEN - 2));
        });
    }
}

/// As much of a text as a Shutdown Communication may have, up to the end of a character.
fn cut(text: &str) -> &str {
    let mut ends = (0..=MAX_COMMUNICATION.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Self { code, subcode, .. } = self;
        match (reason::code_text(code), self.reason()) {
            (Some(text), Some(reason)) if reason.text() == text => write!(f, "{text}")?,
            (Some(text), Some(reason)) => write!(f, "{text}, {}", reason.text())?,
            (Some(text), None) => write!(f, "{text}, unknown subcode")?,
            (None, _) => write!(f, "unknown error")?,
        }
        write!(f, " ({code}/{subcode})")?;
        if let Some(text) = self.communication().or_else(|| self.text()) {
            let shown = cut(text);
            let more = if shown.len() < text.len() { "…" } else { "" };
            write!(f, ": \"{}{more}\"", shown.escape_debug())?;
        } else if !self.data.is_empty() {
            f.write_str(", data ")?;
            for octet in self.data.iter().take(SHOWN_DATA) {
                write!(f, "{octet:02x}")?;
            }
            if self.data.len() > SHOWN_DATA {
                write!(f, "… ({} octets)", self.data.len())?;
            }
        }
        Ok(())
    }
}
