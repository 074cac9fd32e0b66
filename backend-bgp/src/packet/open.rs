//! OPEN (RFC 4271 section 4.2) and its capabilities (RFC 5492).

use std::net::Ipv4Addr;

use super::asn::{self, AS_TRANS};
use super::context::{DecodeContext, PeerType};
use super::cursor::{Cursor, put_field8};
use super::error::MessageError;
use super::header::{MessageType, VERSION, put_message};

mod capabilities;
#[cfg(test)]
mod tests;

pub use capabilities::Capabilities;

/// The optional parameter that holds capabilities (RFC 5492 section 4).
const PARAMETER_CAPABILITIES: u8 = 2;
/// In the place of the first parameter's type: the extended format (RFC 9072 section 2).
const PARAMETER_EXTENDED: u8 = 255;

/// An OPEN message, its capabilities understood.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+
/// |    Version    |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |     My Autonomous System      |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |           Hold Time           |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |                         BGP Identifier                        |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// | Opt Parm Len  |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |        Optional Parameters (variable): type, length, value     |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
///
/// The extended format (RFC 9072), with two octets for the length of each parameter:
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// | Opt Parm Len  |      255      |   Extended Opt. Parm. Length  |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |        Optional Parameters (variable): type, length, value     |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The sender's AS number: that of the 4-octet capability if it is there (RFC 6793), else the
    /// 2-octet field.
    pub asn: u32,
    /// The proposed hold time in seconds: 0, or at least 3.
    pub hold_time: u16,
    /// The BGP identifier, not 0 (RFC 6286).
    pub router_id: Ipv4Addr,
    /// The capabilities that we understand.
    pub capabilities: Capabilities,
}

impl Open {
    /// Decodes the body of an OPEN, and judges all that does not depend on who the peer is (RFC
    /// 4271 section 6.2).
    pub(super) fn decode(body: &[u8]) -> Result<Self, MessageError> {
        const SHORT: MessageError = MessageError::MalformedOpen("shorter than its fixed fields");
        let mut cursor = Cursor::new(body);
        let version = cursor.u8().ok_or(SHORT)?;
        if version != VERSION {
            return Err(MessageError::Version(version));
        }
        let short_asn = cursor.u16().ok_or(SHORT)?;
        let hold_time = cursor.u16().ok_or(SHORT)?;
        let router_id = Ipv4Addr::from(cursor.array::<4>().ok_or(SHORT)?);
        let mut capabilities = Capabilities::default();
        let four_octet_asn = decode_parameters(cursor, &mut capabilities)?;
        let asn = decode_asn(short_asn, four_octet_asn)?;
        if matches!(hold_time, 1 | 2) {
            return Err(MessageError::HoldTime(hold_time));
        }
        if router_id.is_unspecified() {
            return Err(MessageError::RouterId(router_id));
        }
        Ok(Self {
            asn,
            hold_time,
            router_id,
            capabilities,
        })
    }

    /// Judges a received OPEN by what we sent and by the AS number that the peer is configured
    /// with.
    ///
    /// # Errors
    /// The session must end: the AS number is another one (RFC 4271 section 6.2), an internal peer
    /// has our own BGP identifier (RFC 6286 section 2.2), or there is no family to announce.
    pub fn judge(&self, ours: &Self, peer_asn: u32) -> Result<(), MessageError> {
        if self.asn != peer_asn {
            return Err(MessageError::PeerAs(self.asn));
        }
        if self.router_id == ours.router_id && ours.peer_type(self.asn) == PeerType::Internal {
            return Err(MessageError::RouterId(self.router_id));
        }
        let wanted = ours.capabilities.families();
        if self.capabilities.families().intersection(wanted).is_empty() {
            return Err(MessageError::NoCommonFamily(wanted));
        }
        Ok(())
    }

    /// Whether a peer of this AS is internal to the sender of this OPEN.
    pub fn peer_type(&self, peer_asn: u32) -> PeerType {
        if self.asn == peer_asn {
            PeerType::Internal
        } else {
            PeerType::External
        }
    }

    /// What follows from this OPEN, which we sent, and the one received.
    pub fn negotiated(&self, theirs: &Self) -> DecodeContext {
        let peer_type = self.peer_type(theirs.asn);
        let (ours, theirs) = (&self.capabilities, &theirs.capabilities);
        DecodeContext {
            peer_type,
            four_octet_as: ours.four_octet_as && theirs.four_octet_as,
            families: ours.families().intersection(theirs.families()),
        }
    }

    /// Whether it could be said without capabilities: IPv4 unicast, and a 2-octet AS number.
    pub fn needs_no_capabilities(&self) -> bool {
        let plain = Capabilities::default().families();
        self.capabilities.families() == plain && u16::try_from(self.asn).is_ok()
    }

    /// Appends the message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_message(MessageType::Open, out, |out| {
            out.push(VERSION);
            asn::put(self.asn, false, out);
            out.extend(self.hold_time.to_be_bytes());
            out.extend(self.router_id.octets());
            put_field8(out, |out| {
                if self.capabilities != Capabilities::default() {
                    out.push(PARAMETER_CAPABILITIES);
                    put_field8(out, |out| self.capabilities.put(self.asn, out));
                }
            });
        });
    }
}

/// Reads the optional parameters, and returns the AS number of the 4-octet capability.
fn decode_parameters(
    mut cursor: Cursor<'_>,
    capabilities: &mut Capabilities,
) -> Result<Option<u32>, MessageError> {
    const LENGTH: MessageError =
        MessageError::MalformedOpen("length of the optional parameters is not what is there");
    const PARAMETER: MessageError = MessageError::MalformedOpen("optional parameter is cut short");

    let length = cursor.u8().ok_or(LENGTH)?;
    let mut parameters = cursor.clone();
    // "On receipt, a value of 255 for this field is the indication that the extended format is in
    // use"; the one-octet length "MUST NOT be set to 0" and "MUST be ignored" then (RFC 9072
    // section 2).
    let extended = length != 0 && cursor.u8() == Some(PARAMETER_EXTENDED);
    let expected = if extended {
        let length = cursor.u16().ok_or(LENGTH)?;
        parameters = cursor;
        usize::from(length)
    } else {
        usize::from(length)
    };
    if parameters.rest().len() != expected {
        return Err(LENGTH);
    }
    let mut asn = None;
    while !parameters.is_empty() {
        let parameter = parameters.u8().ok_or(PARAMETER)?;
        let value = if extended {
            parameters.field16()
        } else {
            parameters.field8()
        };
        let value = value.ok_or(PARAMETER)?;
        if parameter != PARAMETER_CAPABILITIES {
            return Err(MessageError::OptionalParameter(parameter));
        }
        asn = capabilities.decode(value)?.or(asn);
    }
    Ok(asn)
}

/// The peer's AS number. Zero is nobody's (RFC 7607 section 2), and AS_TRANS is nobody's either: it
/// only stands for a number that the capability tells (RFC 6793 section 9).
fn decode_asn(short: u16, four_octet: Option<u32>) -> Result<u32, MessageError> {
    let asn = four_octet.unwrap_or(short.into());
    if short == 0 || asn == 0 || asn == u32::from(AS_TRANS) {
        let bad = if short == 0 { 0 } else { asn };
        return Err(MessageError::PeerAs(bad));
    }
    Ok(asn)
}
