//! Damaged messages: never a panic, never more than a message can hold, always a legal answer.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{context, decode, strategies};
use crate::packet::*;

/// Checks all that holds for the decoding of any octets.
fn check(octets: &[u8], context: DecodeContext) {
    let decoded = match Frame::parse(octets) {
        Ok(None) => return,
        Ok(Some(frame)) => {
            assert!(frame.size() <= octets.len().min(header::MAX_LEN));
            Message::decode(frame, context)
        }
        Err(error) => Err(error),
    };
    match decoded {
        Ok(Message::Open(open)) => {
            // Families that we do not know cannot be told again.
            if open.capabilities.multiprotocol != Some(FamilySet::default()) {
                let mut out = Vec::new();
                open.encode(&mut out);
                assert_eq!(decode(&out, context), Ok(Message::Open(open)));
            }
        }
        Ok(Message::Update(update)) => {
            assert!(update.announced.len() + update.withdrawn.len() < octets.len());
            assert!(update.faults.len() < octets.len());
            for fault in &update.faults {
                assert!(fault.approach < update::Approach::SessionReset);
                assert_printable(&fault.to_string());
            }
        }
        Ok(Message::Notification(notification)) => check_notification(&notification),
        Ok(Message::Keepalive | Message::RouteRefresh(_)) => {}
        Err(error) => {
            assert_printable(&error.to_string());
            let notification = error.notification();
            assert!(notification.reason().is_some(), "{notification:?}");
            check_notification(&notification);
        }
    }
}

fn check_notification(notification: &Notification) {
    assert_printable(&notification.to_string());
    let mut out = Vec::new();
    notification.encode(&mut out);
    assert_eq!(
        decode(&out, DecodeContext::default()),
        Ok(Message::Notification(notification.clone()))
    );
}

fn assert_printable(line: &str) {
    assert!(!line.chars().any(char::is_control), "{line:?}");
}

fn any_context() -> impl Strategy<Value = DecodeContext> {
    (any::<bool>(), any::<bool>(), strategies::family()).prop_map(|(internal, four, family)| {
        let all = context(if internal {
            PeerType::Internal
        } else {
            PeerType::External
        });
        DecodeContext {
            four_octet_as: four,
            families: if four {
                all.families
            } else {
                FamilySet::from_iter([family])
            },
            ..all
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// One to four octets behind the marker are changed, put in or taken out.
    #[test]
    fn of_messages(
        octets in strategies::octets(),
        edits in proptest::collection::vec((0..3, any::<Index>(), any::<u8>()), 1..=4),
        fix_length: bool,
        context in any_context(),
    ) {
        let mut octets = octets;
        for (kind, index, octet) in edits {
            let at = 16 + index.index(octets.len() - 16);
            match kind {
                0 => octets[at] = octet,
                1 => octets.insert(at, octet),
                _ if octets.len() > 19 => drop(octets.remove(at)),
                _ => {}
            }
        }
        if fix_length {
            let length = u16::try_from(octets.len()).unwrap();
            octets[16..18].copy_from_slice(&length.to_be_bytes());
        }
        check(&octets, context);
    }

    /// Any body at all, behind a valid header.
    #[test]
    fn of_bodies(
        code in 1..=5_u8,
        body in proptest::collection::vec(any::<u8>(), 0..200),
        context in any_context(),
    ) {
        check(&super::message(code, &body), context);
    }

    /// A truncated message is never taken for a whole one.
    #[test]
    fn by_truncation(octets in strategies::octets(), cut: Index) {
        let cut = cut.index(octets.len());
        prop_assert_eq!(Frame::parse(&octets[..cut]), Ok(None));
    }
}
