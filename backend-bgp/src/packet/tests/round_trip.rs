//! What is encoded decodes to the same.

use proptest::prelude::*;

use super::{context, decode, decode_updates, strategies};
use crate::packet::*;

proptest! {
    #[test]
    fn open(open in strategies::open()) {
        let mut out = Vec::new();
        open.encode(&mut out);
        prop_assert_eq!(decode(&out, DecodeContext::default()), Ok(Message::Open(open)));
    }

    #[test]
    fn notification(notification in strategies::notification()) {
        let mut out = Vec::new();
        notification.encode(&mut out);
        let decoded = decode(&out, DecodeContext::default());
        prop_assert_eq!(decoded, Ok(Message::Notification(notification)));
    }

    #[test]
    fn route_refresh(afi: u16, subtype: u8, safi: u8) {
        let request = RouteRefresh { afi, subtype, safi };
        let mut out = Vec::new();
        request.encode(&mut out);
        let decoded = decode(&out, DecodeContext::default());
        prop_assert_eq!(decoded, Ok(Message::RouteRefresh(request)));
    }

    /// Announcing and withdrawing loses nothing, keeps the order, makes no fault, and fills every
    /// message but the last.
    #[test]
    fn update((announcement, prefixes) in strategies::routes(), four_octet_as: bool) {
        let context = DecodeContext { four_octet_as, ..context(PeerType::Internal) };
        let writer = announcement.writer(four_octet_as).unwrap();
        let mut announced = Vec::new();
        let mut left = prefixes.iter().copied().peekable();
        while writer.announce(&mut left, &mut announced).unwrap() > 0 {}
        let mut withdrawn = Vec::new();
        let mut left = prefixes.iter().copied().peekable();
        while put_withdrawal(&mut left, &mut withdrawn) > 0 {}

        for octets in [&announced, &withdrawn] {
            let sizes: Vec<_> = super::split(octets).into_iter().map(<[u8]>::len).collect();
            for size in sizes.iter().rev().skip(1) {
                prop_assert!(*size > header::MAX_LEN - 17, "message of {} octets", size);
            }
            let updates = decode_updates(octets, context);
            prop_assert!(updates.iter().all(|update| update.faults.is_empty()));
            prop_assert!(updates.iter().all(|update| update.end_of_rib.is_none()));
            let decoded: Vec<_> = updates
                .into_iter()
                .flat_map(|update| [update.announced, update.withdrawn].concat())
                .collect();
            prop_assert_eq!(&decoded, &prefixes);
        }
    }
}

#[test]
fn keepalive() {
    let mut out = Vec::new();
    put_keepalive(&mut out);
    assert_eq!(out, super::message(4, &[]));
    assert_eq!(
        decode(&out, DecodeContext::default()),
        Ok(Message::Keepalive)
    );
}

#[test]
fn end_of_rib() {
    for family in context(PeerType::External).families.iter() {
        let mut out = Vec::new();
        put_end_of_rib(family, &mut out);
        let expected = Update {
            end_of_rib: Some(family),
            ..Update::default()
        };
        assert_eq!(
            decode_updates(&out, context(PeerType::External)),
            [expected]
        );
    }
}
