use carillon_core::testing::key;

use super::*;

fn notice(version: &str, message: &str) -> Notice {
    Notice {
        service: key("web"),
        uid: "1-2-3".into(),
        version: version.into(),
        action: Action::Allocate,
        event: carillon_core::controller::Event {
            severity: Severity::Normal,
            reason: "IPAllocated",
            message: message.to_owned(),
        },
    }
}

fn name(notice: &Notice) -> Option<String> {
    event(notice, "node-0", Timestamp::UNIX_EPOCH).metadata.name
}

#[test]
fn an_event_has_a_name_of_its_own_for_what_it_says_of_which_version() {
    let first = name(&notice("1", "Assigned IP"));
    assert_eq!(first, name(&notice("1", "Assigned IP")));
    assert_ne!(first, name(&notice("2", "Assigned IP")));
    assert_ne!(first, name(&notice("1", "Assigned another IP")));
    assert!(first.is_some_and(|name| name.starts_with("web.")));
}

#[test]
fn a_long_text_is_cut_between_characters() {
    assert_eq!(cut("short"), "short");
    let long = "ä".repeat(NOTE);
    assert_eq!(cut(&long).len(), NOTE);
    assert_eq!(cut(&format!("x{long}")).len(), NOTE - 1);
}

#[test]
fn what_a_refusal_means() {
    let refusal = |code| {
        let status = kube::core::Status::failure("said", "");
        let mut status = status;
        status.code = code;
        outcome(&Failure::Refused(Box::new(status)))
    };
    assert_eq!(refusal(409), Outcome::Conflict);
    assert_eq!(refusal(404), Outcome::Gone);
    for code in [401, 408, 429, 500, 503, 504] {
        assert_eq!(refusal(code), Outcome::Failed("said".to_owned()), "{code}");
    }
    for code in [400, 403, 405, 413, 422] {
        assert_eq!(refusal(code), Outcome::Refused("said".to_owned()), "{code}");
    }
    let lost = Failure::Connection("reset".to_owned());
    assert_eq!(outcome(&lost), Outcome::Failed("reset".to_owned()));
}
