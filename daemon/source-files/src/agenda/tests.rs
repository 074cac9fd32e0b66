#![expect(clippy::disallowed_methods, reason = "any moment to begin with")]

use super::*;

const FILE: &str = "a.yaml";

fn names(files: &BTreeSet<Arc<str>>) -> Vec<&str> {
    files.iter().map(|name| &**name).collect()
}

/// An agenda after its first scan, and the time.
fn agenda() -> (Agenda, Instant) {
    let now = Instant::now();
    let mut agenda = Agenda::new(now);
    assert_eq!(agenda.take_scan(now), Some(Scan { atomic: true }));
    (agenda, now)
}

#[test]
fn complete_files_are_read_at_once_and_others_never() {
    let (mut agenda, now) = agenda();
    for name in [
        "b.json",
        FILE,
        FILE,
        ".a.yaml.swp",
        ".hidden.yaml",
        "4913",
        "a.yaml~",
    ] {
        agenda.note(Notice::Complete(name.to_owned()), now);
    }
    assert_eq!(names(&agenda.take_complete()), [FILE, "b.json"]);
    assert!(agenda.take_complete().is_empty());
    assert_eq!(agenda.take_scan(now), None);
    assert_eq!(agenda.next(), now + POLL);
}

#[test]
fn a_file_moved_away_has_a_moment_to_come_back() {
    let (mut agenda, now) = agenda();
    agenda.note(Notice::MovedAway(FILE.to_owned()), now);
    assert!(agenda.take_uncertain(now).is_empty());
    assert!(agenda.is_uncertain(FILE));
    assert_eq!(agenda.next(), now + GRACE);
    assert_eq!(names(&agenda.take_uncertain(now + GRACE)), [FILE]);

    agenda.note(Notice::MovedAway(FILE.to_owned()), now);
    agenda.note(Notice::Complete(FILE.to_owned()), now);
    assert_eq!(names(&agenda.take_complete()), [FILE]);
    assert!(!agenda.is_uncertain(FILE));
}

#[test]
fn a_deletion_counts_at_once_unless_a_new_version_is_being_written() {
    let (mut agenda, now) = agenda();
    agenda.note(Notice::Complete(FILE.to_owned()), now);
    agenda.note(Notice::Deleted(FILE.to_owned()), now);
    assert!(agenda.take_complete().is_empty());
    assert_eq!(names(&agenda.take_uncertain(now)), [FILE]);

    agenda.note(Notice::Deleted(FILE.to_owned()), now);
    agenda.note(Notice::Begun(FILE.to_owned()), now);
    assert!(agenda.take_uncertain(now).is_empty());
    assert_eq!(
        agenda.next(),
        now + SETTLED,
        "in case that nobody tells of its end"
    );
    agenda.note(Notice::Complete(FILE.to_owned()), now);
    assert_eq!(names(&agenda.take_complete()), [FILE]);
}

#[test]
fn a_scan_follows_a_swap_a_loss_and_long_silence() {
    let (mut agenda, now) = agenda();
    agenda.note(Notice::Complete("..data".to_owned()), now);
    assert_eq!(agenda.take_scan(now), Some(Scan { atomic: true }));
    agenda.note(Notice::Lost, now);
    assert_eq!(agenda.take_scan(now), Some(Scan { atomic: false }));
    assert_eq!(agenda.take_scan(now), None);
    assert_eq!(agenda.take_scan(now + POLL), Some(Scan { atomic: false }));
    agenda.retry(now + POLL);
    assert_eq!(agenda.next(), now + POLL + RETRY);
}

#[test]
fn rights_matter_only_of_files_that_could_not_be_read() {
    let (mut agenda, now) = agenda();
    agenda.note(Notice::Attributes(FILE.to_owned()), now);
    assert!(agenda.take_complete().is_empty());
    agenda.set_unreadable(&FILE.into(), true);
    agenda.note(Notice::Attributes(FILE.to_owned()), now);
    assert_eq!(names(&agenda.take_complete()), [FILE]);
}

#[test]
fn the_journal_is_told_once() {
    let (mut agenda, now) = agenda();
    agenda.note(Notice::Journal, now);
    assert!(agenda.take_journal());
    assert!(!agenda.take_journal());
}

#[test]
fn a_look_that_came_to_nothing_is_taken_again_as_it_was() {
    let (mut agenda, now) = agenda();
    for atomic in [false, true] {
        if atomic {
            agenda.note(Notice::Swapped, now);
        } else {
            agenda.note(Notice::Lost, now);
        }
        let scan = agenda.take_scan(now).unwrap();
        assert_eq!(scan, Scan { atomic });
        agenda.hand_back(scan);
        agenda.retry(now);
        assert_eq!(agenda.take_scan(now), None);
        assert_eq!(agenda.take_scan(now + RETRY), Some(scan));
        assert_eq!(
            agenda.take_scan(now + RETRY + POLL),
            Some(Scan { atomic: false })
        );
    }
}
