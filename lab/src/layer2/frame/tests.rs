use super::*;

const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

#[test]
fn what_is_written_is_read() {
    let packet = Arp {
        is_request: true,
        sender_mac: MAC,
        sender: Ipv4Addr::new(192, 0, 2, 1),
        target_mac: MacAddress([0; 6]),
        target: Ipv4Addr::new(192, 0, 2, 100),
    };
    let frame = Frame::parse(&arp(&packet)).unwrap();
    assert_eq!(frame.message, Message::Arp(packet));
    assert_eq!(frame.claim(), Some((packet.sender.into(), MAC)));

    let target: Ipv6Addr = "2001:db8::100".parse().unwrap();
    let frame = Frame::parse(&advertisement(MAC, target)).unwrap();
    assert_eq!(frame.claim(), Some((target.into(), MAC)));
    let question = solicitation(MAC, Ipv6Addr::UNSPECIFIED, target, None);
    assert_eq!(Frame::parse(&question).unwrap().claim(), None);
}

#[test]
fn the_shortened_and_the_foreign_are_passed_over() {
    let frame = advertisement(MAC, Ipv6Addr::LOCALHOST);
    for length in 0..70 {
        assert_eq!(Frame::parse(&frame[..length]), None, "{length}");
    }
    assert_eq!(Frame::parse(&[0; 60]), None);
}
