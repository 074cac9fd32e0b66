//! Capabilities (RFC 5492 section 4).
//!
//! ```text
//! +------------------------------+
//! | Capability Code (1 octet)    |
//! +------------------------------+
//! | Capability Length (1 octet)  |
//! +------------------------------+
//! | Capability Value (variable)  |
//! +------------------------------+
//! ```

use carillon_core::address::Family;

use super::super::cursor::{Cursor, put_field8};
use super::super::error::MessageError;
use super::super::family::{CAPABILITY_MULTIPROTOCOL, FamilySet, unicast};

const ROUTE_REFRESH: u8 = 2;
const FOUR_OCTET_AS: u8 = 65;

/// The capabilities that an announcer cares for; others are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Unicast families by Multiprotocol Extensions (RFC 4760); `None` if the OPEN has no such
    /// capability at all.
    pub multiprotocol: Option<FamilySet>,
    /// 4-octet AS numbers (RFC 6793).
    pub four_octet_as: bool,
    /// Route refresh (RFC 2918).
    pub route_refresh: bool,
}

impl Capabilities {
    /// The unicast families of the sender. Without any Multiprotocol capability it speaks IPv4
    /// unicast only.
    pub fn families(&self) -> FamilySet {
        self.multiprotocol
            .unwrap_or_else(|| FamilySet::from_iter([Family::V4]))
    }

    /// Adds the capabilities of one optional parameter, and returns the AS number of the 4-octet
    /// capability. The same capability may come repeatedly, in one parameter or in several.
    pub(super) fn decode(&mut self, parameter: &[u8]) -> Result<Option<u32>, MessageError> {
        const SHORT: MessageError = MessageError::MalformedOpen("capability is cut short");
        let mut cursor = Cursor::new(parameter);
        let mut asn = None;
        while !cursor.is_empty() {
            let code = cursor.u8().ok_or(SHORT)?;
            let value = cursor.field8().ok_or(SHORT)?;
            match code {
                CAPABILITY_MULTIPROTOCOL => self.decode_multiprotocol(value)?,
                ROUTE_REFRESH => self.decode_route_refresh(value)?,
                FOUR_OCTET_AS => asn = Some(self.decode_four_octet_as(value)?),
                _ => {}
            }
        }
        Ok(asn)
    }

    /// RFC 4760 section 8: AFI (2 octets), reserved (1 octet), SAFI (1 octet).
    fn decode_multiprotocol(&mut self, value: &[u8]) -> Result<(), MessageError> {
        let &[afi_high, afi_low, _reserved, safi] = value else {
            return Err(MessageError::MalformedOpen(
                "Multiprotocol capability is not of 4 octets",
            ));
        };
        let families = self.multiprotocol.get_or_insert_default();
        if let Some(family) = unicast(u16::from_be_bytes([afi_high, afi_low]), safi) {
            families.insert(family);
        }
        Ok(())
    }

    /// RFC 2918 section 2: no value.
    fn decode_route_refresh(&mut self, value: &[u8]) -> Result<(), MessageError> {
        if !value.is_empty() {
            return Err(MessageError::MalformedOpen(
                "Route Refresh capability is not empty",
            ));
        }
        self.route_refresh = true;
        Ok(())
    }

    /// RFC 6793 section 3: the AS number (4 octets).
    fn decode_four_octet_as(&mut self, value: &[u8]) -> Result<u32, MessageError> {
        let octets = value.try_into().map_err(|_| {
            MessageError::MalformedOpen("4-octet AS number capability is not of 4 octets")
        })?;
        self.four_octet_as = true;
        Ok(u32::from_be_bytes(octets))
    }

    pub(super) fn put(&self, asn: u32, out: &mut Vec<u8>) {
        self.multiprotocol.unwrap_or_default().put_capabilities(out);
        if self.route_refresh {
            out.extend([ROUTE_REFRESH, 0]);
        }
        if self.four_octet_as {
            out.push(FOUR_OCTET_AS);
            put_field8(out, |out| out.extend(asn.to_be_bytes()));
        }
    }
}
