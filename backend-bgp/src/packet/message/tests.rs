use super::*;
use crate::packet::Reason;
use crate::packet::tests::{decode, message};

/// The codes and data of the NOTIFICATION with which the octets are answered.
fn answer(octets: &[u8]) -> (Reason, Vec<u8>) {
    let error = decode(octets, DecodeContext::default()).expect_err("an error");
    let notification = error.notification();
    (notification.reason().unwrap(), notification.data)
}

/// The octets of a header, and as many zeros as it says there are.
fn with_length(code: u8, length: u16) -> Vec<u8> {
    let mut octets = vec![0xff; 16];
    octets.extend(length.to_be_bytes());
    octets.push(code);
    octets.resize(usize::from(length).max(HEADER_LEN), 0);
    octets
}

#[test]
fn a_frame_is_there_when_its_last_octet_is() {
    let octets = [message(4, &[]), message(3, &[6, 2])].concat();
    for end in 0..HEADER_LEN {
        assert_eq!(Frame::parse(&octets[..end]), Ok(None));
    }
    let first = Frame::parse(&octets).unwrap().unwrap();
    assert_eq!(
        (first.message_type, first.size()),
        (MessageType::Keepalive, 19)
    );
    assert_eq!(Frame::parse(&octets[19..39]), Ok(None));
    let second = Frame::parse(&octets[19..]).unwrap().unwrap();
    assert_eq!(
        (second.message_type, second.size()),
        (MessageType::Notification, 21)
    );
}

#[test]
fn another_protocol_is_noticed_at_its_first_octet() {
    assert_eq!(Frame::parse(b"2"), Err(MessageError::Marker));
}

/// RFC 4271 section 6.1. A bad header is noticed without the rest of the message.
#[test]
#[rustfmt::skip]
fn headers_are_judged_as_soon_as_they_are_there() {
    let mut bad_marker = with_length(4, 19);
    bad_marker[15] = 0xfe;
    let cases = [
        (bad_marker, Reason::ConnectionNotSynchronized, vec![]),
        (with_length(4, 18), Reason::BadMessageLength, vec![0, 18]),
        (with_length(4, 0), Reason::BadMessageLength, vec![0, 0]),
        (with_length(2, 4097), Reason::BadMessageLength, vec![16, 1]),
        (with_length(2, 65535), Reason::BadMessageLength, vec![255, 255]),
        (with_length(1, 28), Reason::BadMessageLength, vec![0, 28]),
        (with_length(2, 22), Reason::BadMessageLength, vec![0, 22]),
        (with_length(3, 20), Reason::BadMessageLength, vec![0, 20]),
        (with_length(4, 20), Reason::BadMessageLength, vec![0, 20]),
        (with_length(0, 19), Reason::BadMessageType, vec![0]),
        (with_length(6, 19), Reason::BadMessageType, vec![6]),
        (with_length(255, 100), Reason::BadMessageType, vec![255]),
    ];
    for (octets, reason, data) in cases {
        let header = &octets[..HEADER_LEN];
        let error = Frame::parse(header).expect_err("an error");
        assert_eq!(error.notification(), Notification::with_data(reason, data));
        assert_eq!(Frame::parse(&octets), Err(error));
    }
}

#[test]
fn another_protocol_is_noticed_by_its_marker() {
    let greeting = b"HTTP/1.1 400 Bad Request\r\n";
    assert_eq!(Frame::parse(greeting), Err(MessageError::Marker));
}

#[test]
fn the_longest_message_is_whole_at_4096_octets() {
    let octets = with_length(2, 4096);
    assert_eq!(Frame::parse(&octets[..4095]), Ok(None));
    assert_eq!(Frame::parse(&octets).unwrap().unwrap().size(), MAX_LEN);
}

/// RFC 7313 section 5: "The Data field … MUST contain the complete ROUTE-REFRESH message."
#[test]
fn route_refresh_of_wrong_length_is_returned_whole() {
    for body in [&[][..], &[0, 1, 0], &[0, 1, 0, 1, 0]] {
        let octets = message(5, body);
        assert_eq!(answer(&octets), (Reason::InvalidRouteRefreshLength, octets));
    }
    let longest = with_length(5, 4096);
    let (_, data) = answer(&longest);
    assert_eq!(data, longest[..4096 - 21], "as much as fits");
}

#[test]
fn route_refresh_asks_for_families_that_we_have() {
    use carillon_core::address::Family;
    let asks = |body: [u8; 4]| match decode(&message(5, &body), DecodeContext::default()) {
        Ok(Message::RouteRefresh(refresh)) => refresh.requested(),
        other => panic!("{other:?}"),
    };
    assert_eq!(asks([0, 1, 0, 1]), Some(Family::V4));
    assert_eq!(asks([0, 2, 0, 1]), Some(Family::V6));
    // Multicast, EVPN; begin and end of RFC 7313.
    assert_eq!(asks([0, 1, 0, 2]), None);
    assert_eq!(asks([0, 25, 0, 70]), None);
    assert_eq!(asks([0, 1, 1, 1]), None);
    assert_eq!(asks([0, 1, 2, 1]), None);
}
