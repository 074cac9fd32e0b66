use super::*;
use crate::packet::tests::{decode, message};
use crate::packet::{DecodeContext, Message};

fn received(body: &[u8]) -> Notification {
    match decode(&message(3, body), DecodeContext::default()) {
        Ok(Message::Notification(notification)) => notification,
        other => panic!("{other:?}"),
    }
}

#[test]
fn codes_and_reasons_are_one_to_one() {
    for reason in Reason::ALL {
        let (code, subcode) = reason.codes();
        assert_eq!(Reason::from_codes(code, subcode), Some(*reason));
        assert!(reason::code_text(code).is_some());
    }
    let registered = (0..=255_u8)
        .flat_map(|code| (0..=255).map(move |subcode| (code, subcode)))
        .filter(|(code, subcode)| Reason::from_codes(*code, *subcode).is_some());
    assert_eq!(registered.count(), Reason::ALL.len());
}

#[test]
#[rustfmt::skip]
fn text() {
    let cases: &[(&[u8], &str)] = &[
        (&[2, 2], "OPEN Message Error, Bad Peer AS (2/2)"),
        (&[4, 0], "Hold Timer Expired (4/0)"),
        (&[8, 0], "Send Hold Timer Expired (8/0)"),
        (&[6, 7], "Cease, Connection Collision Resolution (6/7)"),
        (&[7, 1], "ROUTE-REFRESH Message Error, Invalid Message Length (7/1)"),
        (&[6, 99], "Cease, unknown subcode (6/99)"),
        (&[4, 3], "Hold Timer Expired, unknown subcode (4/3)"),
        (&[77, 1], "unknown error (77/1)"),
        (&[0, 0], "unknown error (0/0)"),
        (&[1, 2, 16, 1], "Message Header Error, Bad Message Length (1/2), data 1001"),
        (b"\x06\x02\x0dgone for good", "Cease, Administrative Shutdown (6/2): \"gone for good\""),
        (
            b"\x06\x04\x05again and what follows is not shown",
            "Cease, Administrative Reset (6/4): \"again\"",
        ),
        (
            b"\x02\x0bStrict mode. Please set the role on your side.",
            "OPEN Message Error, Role Mismatch (2/11): \
             \"Strict mode. Please set the role on your side.\"",
        ),
        (b"\x06\x05\x0bsame text\r\n", "Cease, Connection Rejected (6/5): \"same text\""),
        (b"\x02\x02\x41\x42\x43\x44", "OPEN Message Error, Bad Peer AS (2/2), data 41424344"),
        (b"\x05\x00a\x1b[2Jb", "Finite State Machine Error, Unspecified Error (5/0), data 611b5b324a62"),
        // RFC 9003 is about these two only.
        (b"\x06\x03\x02no", "Cease, Peer De-configured (6/3), data 026e6f"),
    ];
    for (body, expected) in cases {
        assert_eq!(received(body).to_string(), *expected);
    }
}

#[test]
fn hostile_text_is_shown_harmless() {
    let evil = "a\nb\x1b[2J\u{202e}\"\u{0}";
    let notification = Notification::with_communication(Reason::AdministrativeShutdown, evil);
    assert_eq!(notification.communication(), Some(evil));
    assert_eq!(
        notification.to_string(),
        r#"Cease, Administrative Shutdown (6/2): "a\nb\u{1b}[2J\u{202e}\"\0""#
    );
}

/// RFC 9003: text that is cut short or no UTF-8 counts as absent, and its octets are shown.
#[test]
fn broken_text_is_shown_as_octets() {
    let cases: &[(&[u8], &str)] = &[
        (&[6, 2, 5, b'a'], ", data 0561"),
        (&[6, 2, 2, 0xc3, 0x28], ", data 02c328"),
        (&[6, 2, 1, 0xff], ", data 01ff"),
        (&[6, 2, 0], ", data 00"),
        (&[6, 2], ""),
    ];
    for (body, tail) in cases {
        let notification = received(body);
        assert_eq!(notification.communication(), None);
        let expected = format!("Cease, Administrative Shutdown (6/2){tail}");
        assert_eq!(notification.to_string(), expected);
    }
    let long = received(&[&[6, 2][..], &[0xff; 100]].concat());
    let tail = format!("{}… (100 octets)", "ff".repeat(32));
    assert!(long.to_string().ends_with(&tail), "{long}");
}

#[test]
fn long_text_is_cut_at_a_character() {
    let reason = Reason::AdministrativeShutdown;
    let notification = Notification::with_communication(reason, &"é".repeat(200));
    assert_eq!(notification.data.len(), 255, "254 octets and their length");
    let expected = "é".repeat(127);
    assert_eq!(notification.communication(), Some(expected.as_str()));
    let notification = Notification::with_communication(reason, &"x".repeat(300));
    assert_eq!(notification.communication().unwrap().len(), 255);
    let notification = Notification::with_communication(reason, "");
    assert_eq!(notification.data, [0]);
}

#[test]
fn encoding() {
    let mut out = Vec::new();
    Notification::with_communication(Reason::AdministrativeShutdown, "bye").encode(&mut out);
    assert_eq!(out, message(3, b"\x06\x02\x03bye"));
}

#[test]
fn data_is_cut_to_the_size_of_a_message() {
    let notification = Notification::with_data(Reason::MalformedAttributeList, vec![7; 9999]);
    let mut out = Vec::new();
    notification.encode(&mut out);
    assert_eq!(out.len(), MAX_LEN);
    assert_eq!(received(&out[HEADER_LEN..]), notification);
}
