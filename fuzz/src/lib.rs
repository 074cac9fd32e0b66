//! What the targets have in common.

use carillon_backend_bgp::packet::{
    DecodeContext, FamilySet, Frame, Message, MessageError, Notification, PeerType,
};
use carillon_core::address::Family;
use carillon_core::interface::MacAddress;
use carillon_core::mark::Mark;
use carillon_layer2::{Message as Heard, Question, Saying};
use carillon_objects::{ApiObject, KINDS, Kind, Unreadable};

/// Modules of the source in a cluster, without the client and the TLS that come with it.
#[path = "../../daemon/source-kubernetes/src"]
#[allow(dead_code, unused_imports, unfulfilled_lint_expectations)]
mod kubernetes {
    pub(crate) mod clip;

    pub(crate) mod page {
        pub(crate) use super::clip::Clip;
        pub(crate) mod splitter;
    }
}

use kubernetes::clip::Clip;
use kubernetes::page::splitter::{Part, Splitter};

/// Reads a file of objects: what is wrong has a place in it and fits on a line.
pub fn check_objects(text: &str) {
    let found = carillon_objects::parse("f", text);
    // YAML also ends lines with a carriage return alone.
    let lines = text.matches(['\n', '\r']).count() + 1;
    let errors = found
        .objects
        .iter()
        .filter_map(|parsed| parsed.object.as_ref().err());
    let errors = errors.flatten().map(|(at, message)| (at, message));
    let notes = found.notes.iter().map(|note| (&note.at, &note.message));
    for (at, message) in errors.chain(notes) {
        assert!(
            (1..=lines).contains(&at.line),
            "{at:?} of {lines} lines: {message}"
        );
        assert!(!message.chars().any(char::is_control), "{message}");
    }
}

fn kind(choice: u8) -> Kind {
    KINDS[usize::from(choice) % KINDS.len()]
}

/// Reads an object of an API server: what is wrong with it is told in few words, and if it can be named
/// without being read, it is the same object. (A reader of types also takes an array for the fields of
/// an object, which no API server sends.)
pub fn check_object(choice: u8, json: &[u8]) {
    let kind = kind(choice);
    let is_cut = choice & 0x80 != 0;
    let read = check_read(kind, json, is_cut);
    let found = carillon_objects::find(json);
    if let Ok(object) = read {
        assert!(!is_cut);
        if let Some(key) = found.key(kind) {
            assert_eq!(key, object.key);
            assert_eq!(found.version().unwrap_or_default(), &*object.version);
        }
    }
}

fn check_read(kind: Kind, json: &[u8], is_cut: bool) -> Result<ApiObject, Unreadable> {
    let read = carillon_objects::read(kind, json, is_cut);
    match &read {
        Ok(object) => assert_eq!(object.key.kind, kind),
        Err(unreadable) => {
            assert!((1..=20).contains(&unreadable.errors.len()));
            assert!(
                unreadable
                    .errors
                    .iter()
                    .all(|error| error.chars().count() <= 400)
            );
            assert!(unreadable.published.len() <= json.len());
        }
    }
    read
}

/// Takes a list of an API server apart: it comes out the same in whatever pieces it comes in, and its
/// items are those that a reader of JSON finds.
pub fn check_page(choice: u8, length: usize, list: &[u8]) {
    let whole = split(list, list.len());
    let pieces = split(list, length);
    match (&whole, &pieces) {
        (Some((whole, _)), Some((pieces, _))) => assert_eq!(whole, pieces),
        (None, None) => {}
        _ => panic!("a list in one piece, and none in pieces of {length}"),
    }
    let Some((parts, is_complete)) = whole else {
        return;
    };
    for (part, octets) in &parts {
        if *part == Part::Item {
            // What is in it may be anything.
            let _ = check_read(kind(choice), octets, false);
        }
    }
    // Of a key that is there twice, or written in another way, a reader of JSON knows one.
    let is_plain = |text: &str| text.matches("items").count() == 1 && !text.contains('\\');
    if let Ok(text) = std::str::from_utf8(list)
        && is_plain(text)
        && let Ok(serde_json::Value::Object(list)) = serde_json::from_str(text)
        && let Some(serde_json::Value::Array(expected)) = list.get("items")
    {
        assert!(is_complete);
        let items = parts.iter().filter(|(part, _)| *part == Part::Item);
        let items: Vec<serde_json::Value> = items
            .map(|(_, item)| serde_json::from_slice(item).expect("JSON"))
            .collect();
        assert_eq!(&items, expected);
    }
}

type Parts = Vec<(Part, Vec<u8>)>;

fn split(list: &[u8], length: usize) -> Option<(Parts, bool)> {
    let mut splitter = Splitter::default();
    let mut parts = Vec::new();
    for piece in list.chunks(length.max(1)) {
        let mut take = |part, clip: &Clip| parts.push((part, clip.octets().to_vec()));
        splitter.feed(piece, &mut take).ok()?;
    }
    Some((parts, splitter.is_complete()))
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
