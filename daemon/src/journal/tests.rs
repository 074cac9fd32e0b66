use std::collections::BTreeSet;

use super::*;

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    fn open(&self) -> Journal {
        Journal::new(self.path())
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }
}

fn key(name: &str) -> ServiceKey {
    ServiceKey::new("default", name)
}

fn ip(last: u8) -> Vec<IpAddr> {
    vec![IpAddr::from([192, 0, 2, last])]
}

fn set(journal: &mut Journal, name: &str, addresses: &[IpAddr]) -> BTreeSet<ServiceKey> {
    let changed = journal.begin().unwrap();
    journal.set(&key(name), addresses);
    journal.commit();
    assert_eq!(journal.problem(), None);
    changed
}

fn refresh(journal: &mut Journal) -> BTreeSet<ServiceKey> {
    let changed = journal.begin().unwrap();
    journal.commit();
    changed
}

#[test]
fn entries_survive_a_restart_and_end_with_the_service() {
    let fixture = Fixture::new();
    let mut journal = fixture.open();
    set(&mut journal, "a", &ip(1));
    set(&mut journal, "b", &ip(2));
    set(&mut journal, "b", &ip(2));
    assert_eq!(
        fixture.text(),
        "{\"service\":\"default/a\",\"addresses\":[\"192.0.2.1\"]}\n\
         {\"service\":\"default/b\",\"addresses\":[\"192.0.2.2\"]}\n"
    );
    set(&mut journal, "a", &[]);
    assert!(!journal.is_foreign(&key("b")));

    let mut restarted = fixture.open();
    assert_eq!(refresh(&mut restarted), [key("b")].into());
    assert_eq!(restarted.addresses(&key("b")), Some(&*ip(2)));
    assert_eq!(restarted.addresses(&key("a")), None);
    assert!(restarted.is_foreign(&key("b")));
}

#[test]
fn daemons_see_what_the_others_appended_before_they_grant() {
    let fixture = Fixture::new();
    let (mut one, mut two) = (fixture.open(), fixture.open());
    set(&mut one, "a", &ip(1));
    assert_eq!(set(&mut two, "b", &ip(2)), [key("a")].into());
    assert_eq!(refresh(&mut one), [key("b")].into());
    assert_eq!(refresh(&mut one), [].into(), "and each thing once");

    one.begin().unwrap();
    assert_eq!(two.begin(), Err(Busy));
    one.set(&key("c"), &ip(3));
    one.commit();
    assert_eq!(two.begin(), Ok([key("c")].into()));
}

#[test]
fn a_torn_last_line_is_ended_and_a_damaged_line_is_skipped() {
    let fixture = Fixture::new();
    let mut journal = fixture.open();
    set(&mut journal, "a", &ip(1));
    let torn = fixture.text() + "{\"service\":\"default/b\",\"addr";
    fs::write(fixture.path(), torn).unwrap();
    let mut journal = fixture.open();
    set(&mut journal, "c", &ip(3));
    let damaged = journal.take_damaged();
    assert_eq!(damaged.len(), 1, "{damaged:?}");
    assert!(damaged[0].contains("journal:2: damaged: "), "{damaged:?}");

    let mut other = fixture.open();
    assert_eq!(refresh(&mut other), [key("a"), key("c")].into());
}

#[test]
fn it_is_compacted_when_it_has_grown_and_the_others_notice() {
    let fixture = Fixture::new();
    let (mut one, mut two) = (fixture.open(), fixture.open());
    set(&mut one, "a", &ip(1));
    refresh(&mut two);
    one.begin().unwrap();
    for _ in 0..SLACK {
        one.set(&key("b"), &ip(2));
        one.set(&key("b"), &ip(3));
    }
    one.commit();
    refresh(&mut one);
    assert_eq!(fixture.text().lines().count(), 2);
    assert_eq!(refresh(&mut two), [key("b")].into());
    assert_eq!(set(&mut two, "c", &ip(4)), [].into());
    assert_eq!(refresh(&mut one), [key("c")].into());
    assert!(!one.is_foreign(&key("b")));
}

#[test]
fn an_unusable_file_is_told_and_made_up_for_later() {
    let fixture = Fixture::new();
    let path = fixture.dir.path().join("missing/journal");
    let mut journal = Journal::new(path.clone());
    journal.begin().unwrap();
    journal.set(&key("a"), &ip(1));
    journal.commit();
    assert!(
        journal.problem().unwrap().contains("create its directory"),
        "{journal:?}"
    );
    assert_eq!(journal.addresses(&key("a")), Some(&*ip(1)));

    fs::create_dir(path.parent().unwrap()).unwrap();
    assert_eq!(refresh(&mut journal), [].into());
    assert_eq!(journal.problem(), None);
    let mut other = Journal::new(path);
    assert_eq!(refresh(&mut other), [key("a")].into());
}

#[test]
fn a_deleted_file_is_written_again() {
    let fixture = Fixture::new();
    let mut journal = fixture.open();
    set(&mut journal, "a", &ip(1));
    fs::remove_file(fixture.path()).unwrap();
    assert_eq!(refresh(&mut journal), [].into());
    assert_eq!(refresh(&mut fixture.open()), [key("a")].into());
}

#[test]
fn two_processes_worth_of_grants_never_meet() {
    let fixture = Fixture::new();
    let grant = |prefix: &'static str| {
        let path = fixture.path();
        std::thread::spawn(move || {
            let mut journal = Journal::new(path);
            for n in 0..50 {
                while journal.begin().is_err() {
                    std::thread::yield_now();
                }
                let taken: BTreeSet<IpAddr> = journal
                    .entries
                    .values()
                    .flat_map(|entry| entry.addresses.clone())
                    .collect();
                let free = (0..=255)
                    .map(ip)
                    .find(|ip| !taken.contains(&ip[0]))
                    .unwrap();
                journal.set(&key(&format!("{prefix}{n}")), &free);
                journal.commit();
            }
        })
    };
    let threads = [grant("a"), grant("b")];
    for thread in threads {
        thread.join().unwrap();
    }
    let mut journal = fixture.open();
    refresh(&mut journal);
    let all: BTreeSet<IpAddr> = journal
        .entries
        .values()
        .flat_map(|entry| entry.addresses.clone())
        .collect();
    assert_eq!(all.len(), 100);
}
