//! What the targets have in common.

use carillon_backend_bgp::packet::{
    DecodeContext, FamilySet, Frame, Message, MessageError, Notification, PeerType,
};
use carillon_core::address::Family;
use carillon_core::interface::MacAddress;
use carillon_core::mark::Mark;
use carillon_layer2::{Message as Heard, Question, Saying};

/// Modules of the daemon, which is no library.
#[path = "../../daemon/src"]
#[allow(dead_code, unused_imports, unfulfilled_lint_expectations)]
mod daemon {
    pub(crate) mod objects;
}

/// Reads a file of objects: what is wrong has a place in it and fits on a line.
pub fn check_objects(text: &str) {
    let found = daemon::objects::parse("f", text);
    // YAML also ends lines with a carriage return alone.
    let lines = text.matches(['\n', '\r']).count() + 1;
    let errors = found.objects.iter().filter_map(|parsed| parsed.object.as_ref().err());
    let errors = errors.flatten().map(|(at, message)| (at, message));
    let notes = found.notes.iter().map(|note| (&note.at, &note.message));
    for (at, message) in errors.chain(notes) {
        assert!((1..=lines).contains(&at.line), "{at:?} of {lines} lines: {message}");
        assert!(!message.chars().any(char::is_control), "{message}");
    }
}

/// Decodes a message of this type with the input as its body; the input's first octet chooses what
/// the session has negotiated.
pub fn decode(message_type: u8, input: &[u8]) {
    let Some((choice, body)) = input.split_first() else {
        return;
    };
    let Ok(length) = u16::try_from(19 + body.len()) else {
        return;
    };
    let mut octets = vec![0xff; 16];
    octets.extend(length.to_be_bytes());
    octets.push(message_type);
    octets.extend(body);
    check(&octets, context(*choice));
}

/// Decodes the first message of a stream of octets, and prints and answers what comes of it.
pub fn check(octets: &[u8], context: DecodeContext) {
    match first(octets, context) {
        Ok(None) => {}
        Ok(Some(Message::Update(update))) => {
            assert!(update.announced.len() + update.withdrawn.len() <= octets.len());
            assert!(update.faults.len() <= octets.len());
        }
        Ok(Some(Message::Notification(notification))) => answer(&notification),
        Ok(Some(_)) => {}
        Err(error) => answer(&error.notification()),
    }
}

fn first(octets: &[u8], context: DecodeContext) -> Result<Option<Message>, MessageError> {
    Frame::parse(octets)?
        .map(|frame| Message::decode(frame, context))
        .transpose()
}

fn answer(notification: &Notification) {
    assert!(!notification.to_string().chars().any(char::is_control));
    let mut out = Vec::new();
    notification.encode(&mut out);
    let decoded = first(&out, DecodeContext::default());
    assert_eq!(
        decoded,
        Ok(Some(Message::Notification(notification.clone())))
    );
}

/// One of the contexts that a session may have.
pub fn context(choice: u8) -> DecodeContext {
    let families = [(2, Family::V4), (4, Family::V6)];
    DecodeContext {
        peer_type: if choice & 1 == 0 {
            PeerType::External
        } else {
            PeerType::Internal
        },
        families: FamilySet::from_iter(
            families
                .into_iter()
                .filter(|(bit, _)| choice & bit != 0)
                .map(|(_, family)| family),
        ),
        four_octet_as: choice & 8 != 0,
    }
}

/// Answers a question of layer 2 and reads the answer: it claims what was asked for.
pub fn answer_to(
    question: Question,
    decode: impl Fn(&[u8]) -> Option<Heard>,
    encode: impl Fn(Saying, MacAddress, Mark, &mut dyn FnMut(&[u8])),
) {
    let mac = MacAddress([2, 0, 0, 0, 0, 1]);
    let mark = Mark::of("node", 1);
    let mut answers = 0;
    encode(Saying::Answer(question), mac, mark, &mut |frame| {
        answers += 1;
        let heard = decode(frame).map(|heard| (heard.station, heard.claim, heard.mark));
        assert_eq!(heard, Some((mac, Some(question.target), Some(mark))));
    });
    assert_eq!(answers, 1);
}
