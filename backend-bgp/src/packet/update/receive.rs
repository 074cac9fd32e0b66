//! A received UPDATE, judged by RFC 7606.

use carillon_core::address::Family;
use ipnet::IpNet;

use super::attribute::as_path::AS_PATH;
use super::attribute::multiprotocol::{self, MP_REACH_NLRI, MP_UNREACH_NLRI};
use super::attribute::next_hop::NEXT_HOP;
use super::attribute::origin::ORIGIN;
use super::fault::Fault;
use super::problem::{Approach, Problem};
use super::raw::RawAttribute;
use crate::packet::context::DecodeContext;
use crate::packet::cursor::Cursor;
use crate::packet::error::MessageError;
use crate::packet::prefix;

/// A received UPDATE after RFC 7606: an announcer drops what it announces and withdraws, and
/// reports what was wrong with it. Attributes are not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Announced prefixes, from NLRI and `MP_REACH_NLRI`; none if they are treated as withdrawn.
    pub announced: Vec<IpNet>,
    /// Withdrawn prefixes, from Withdrawn Routes and `MP_UNREACH_NLRI`, and those treated as
    /// withdrawn.
    pub withdrawn: Vec<IpNet>,
    /// The message is an End-of-RIB marker (RFC 4724 section 2).
    pub end_of_rib: Option<Family>,
    /// What was wrong and did not end the session, in the order found.
    pub faults: Vec<Fault>,
}

impl Update {
    /// Decodes the body of an UPDATE.
    pub(in crate::packet) fn decode(
        body: &[u8],
        context: DecodeContext,
    ) -> Result<Self, MessageError> {
        let mut cursor = Cursor::new(body);
        // RFC 7606 section 3 b: the lengths together exceed the message.
        let withdrawn = cursor
            .field16()
            .ok_or(MessageError::AttributeList("Withdrawn Routes Length"))?;
        let attributes = cursor
            .field16()
            .ok_or(MessageError::AttributeList("Total Path Attribute Length"))?;
        let nlri = cursor.rest();
        let mut receiver = Receiver::new(context);
        receiver.take_fields(withdrawn, nlri)?;
        receiver.take_attributes(attributes)?;
        receiver.finish()
    }
}

/// The state of decoding one UPDATE.
struct Receiver<'a> {
    context: DecodeContext,
    update: Update,
    /// The type codes met so far.
    seen: [bool; 256],
    /// How many attributes there are.
    attributes: usize,
    /// The NLRI field has prefixes.
    nlri_field: bool,
    /// Routes are announced, be it in families that are ignored.
    reachable: bool,
    /// The family of a `MP_UNREACH_NLRI`.
    unreach: Option<Family>,
    /// What was wrong, each with the data for a NOTIFICATION.
    faults: Vec<(Fault, &'a [u8])>,
}

impl<'a> Receiver<'a> {
    fn new(context: DecodeContext) -> Self {
        Self {
            context,
            update: Update::default(),
            seen: [false; 256],
            attributes: 0,
            nlri_field: false,
            reachable: false,
            unreach: None,
            faults: Vec::new(),
        }
    }

    /// "The Withdrawn Routes field MUST be checked for syntactic correctness in the same manner as
    /// the NLRI field" (RFC 7606 section 3 i).
    fn take_fields(&mut self, withdrawn: &[u8], nlri: &[u8]) -> Result<(), MessageError> {
        self.update.withdrawn = prefix::decode_all(Family::V4, withdrawn)
            .ok_or(MessageError::Network("Withdrawn Routes"))?;
        self.update.announced = prefix::decode_all(Family::V4, nlri).ok_or(
            MessageError::Network("Network Layer Reachability Information"),
        )?;
        self.nlri_field = !nlri.is_empty();
        self.reachable = self.nlri_field;
        let empty = withdrawn.is_empty() && nlri.is_empty();
        if !empty && !self.context.families.contains(Family::V4) {
            self.update = Update::default();
            self.note_list(Problem::Family, Approach::AttributeDiscard);
        }
        Ok(())
    }

    fn take_attributes(&mut self, attributes: &'a [u8]) -> Result<(), MessageError> {
        let mut cursor = Cursor::new(attributes);
        while !cursor.is_empty() {
            self.attributes += 1;
            let Some(attribute) = RawAttribute::take(&mut cursor) else {
                self.note_list(Problem::Truncated, Approach::TreatAsWithdraw);
                break;
            };
            if let Err((problem, approach)) = self.take_attribute(&attribute) {
                let fault = Fault {
                    attribute: Some(attribute.code),
                    problem,
                    approach,
                };
                match approach {
                    Approach::SessionReset => return Err(reset(fault, attribute.octets)),
                    Approach::AttributeDiscard | Approach::TreatAsWithdraw => {
                        self.faults.push((fault, attribute.octets));
                    }
                }
            }
        }
        Ok(())
    }

    fn take_attribute(&mut self, attribute: &RawAttribute<'a>) -> Result<(), (Problem, Approach)> {
        let reach = attribute.code == MP_REACH_NLRI.code;
        let multiprotocol = reach || attribute.code == MP_UNREACH_NLRI.code;
        let repeated = self
            .seen
            .get_mut(usize::from(attribute.code))
            .is_some_and(|seen| std::mem::replace(seen, true));
        match (repeated, multiprotocol) {
            (true, true) => return Err((Problem::Duplicate, Approach::SessionReset)),
            (true, false) => return Err((Problem::Duplicate, Approach::AttributeDiscard)),
            (false, true) => self.take_multiprotocol(reach, attribute.value)?,
            (false, false) => {}
        }
        // Where the routes of a multiprotocol attribute are known, its flags ask for no more than
        // those of any other.
        attribute.judge(self.context)
    }

    /// An error in the value of a multiprotocol attribute of a negotiated family makes it
    /// impossible to know which routes the message is about, so that it ends the session (RFC 7606
    /// sections 3 j, 5.3, 7.11).
    fn take_multiprotocol(&mut self, reach: bool, value: &[u8]) -> Result<(), (Problem, Approach)> {
        match multiprotocol::decode(reach, value, self.context.families) {
            Err(Problem::Family) => {
                self.reachable |= reach;
                Err((Problem::Family, Approach::AttributeDiscard))
            }
            Err(problem) => Err((problem, Approach::SessionReset)),
            Ok((_, mut prefixes)) if reach => {
                self.reachable |= !prefixes.is_empty();
                self.update.announced.append(&mut prefixes);
                Ok(())
            }
            Ok((family, mut prefixes)) => {
                self.unreach = Some(family);
                self.update.withdrawn.append(&mut prefixes);
                Ok(())
            }
        }
    }

    /// Notes a fault that belongs to no attribute.
    fn note_list(&mut self, problem: Problem, approach: Approach) {
        let fault = Fault {
            attribute: None,
            problem,
            approach,
        };
        self.faults.push((fault, &[]));
    }

    fn finish(mut self) -> Result<Update, MessageError> {
        self.ignore_next_hop();
        self.note_missing();
        let worst = self
            .faults
            .iter()
            .find(|(fault, _)| fault.approach == Approach::TreatAsWithdraw);
        if let Some(&(fault, data)) = worst {
            // Without reachable NLRI "we cannot be confident that the NLRI have been successfully
            // parsed", and any error that asks for more than attribute discard must end the session
            // (RFC 7606 section 5.2).
            if !self.reachable {
                return Err(reset(fault, data));
            }
            self.update.withdrawn.append(&mut self.update.announced);
        }
        self.update.end_of_rib = self.end_of_rib();
        self.update.faults = self.faults.into_iter().map(|(fault, _)| fault).collect();
        Ok(self.update)
    }

    /// In an UPDATE without NLRI other than that of `MP_REACH_NLRI`, the receiver "SHOULD ignore"
    /// the NEXT_HOP (RFC 4760 section 3).
    fn ignore_next_hop(&mut self) {
        if !self.nlri_field && self.has(MP_REACH_NLRI.code) {
            self.faults
                .retain(|(fault, _)| fault.attribute != Some(NEXT_HOP.code));
        }
    }

    /// "If any of the well-known mandatory attributes are not present in an UPDATE message, then
    /// treat-as-withdraw MUST be used" (RFC 7606 section 3 d); NEXT_HOP is mandatory for the NLRI
    /// field only.
    fn note_missing(&mut self) {
        const MANDATORY: &[u8] = &[ORIGIN.code, AS_PATH.code, NEXT_HOP.code];
        if self.update.announced.is_empty() {
            return;
        }
        for code in MANDATORY {
            if !self.has(*code) && (*code != NEXT_HOP.code || self.nlri_field) {
                let fault = Fault {
                    attribute: Some(*code),
                    problem: Problem::Missing,
                    approach: Approach::TreatAsWithdraw,
                };
                self.faults.push((fault, std::slice::from_ref(code)));
            }
        }
    }

    /// An UPDATE without anything, or with nothing but an empty `MP_UNREACH_NLRI` (RFC 4724 section
    /// 2).
    fn end_of_rib(&self) -> Option<Family> {
        let empty = !self.nlri_field && self.update.withdrawn.is_empty();
        match (self.attributes, self.unreach) {
            _ if !empty || !self.faults.is_empty() => None,
            (0, _) => Some(Family::V4).filter(|family| self.context.families.contains(*family)),
            (1, family) => family,
            _ => None,
        }
    }

    fn has(&self, code: u8) -> bool {
        self.seen.get(usize::from(code)) == Some(&true)
    }
}

/// The error of a fault that ends the session.
fn reset(fault: Fault, data: &[u8]) -> MessageError {
    MessageError::Attribute {
        fault: Fault {
            approach: Approach::SessionReset,
            ..fault
        },
        data: match fault.problem {
            // These have the subcode Malformed Attribute List, which has no data.
            Problem::Duplicate | Problem::Truncated => Vec::new(),
            _ => data.to_vec(),
        },
    }
}
