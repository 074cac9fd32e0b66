#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "files that others write, at the same time"
)]

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use carillon_core::testing::key;

use super::store::SLACK;
use super::*;

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    fn open(&self) -> Journal {
        Journal::new(self.path())
    }
}

/// Both ends of a journal, and what was last said of it.
struct Journal {
    store: Store,
    ledger: Ledger,
    problem: Option<String>,
    damaged: Vec<String>,
    before: Option<String>,
}

impl Journal {
    fn new(path: PathBuf) -> Self {
        Self {
            store: Store::new(path, "n", || ()),
            ledger: Ledger::default(),
            problem: None,
            damaged: Vec::new(),
            before: None,
        }
    }

    fn ask(&mut self, request: &Request) -> Option<Taken> {
        let mut answer = self.store.answer(request)?;
        self.problem = answer.problem.take();
        self.damaged.append(&mut answer.damaged);
        self.before = answer.before.take().or(self.before.take());
        Some(self.ledger.take(&mut answer))
    }

    fn refresh(&mut self) -> BTreeSet<ServiceKey> {
        self.ask(&Request::Read).unwrap().changed
    }

    fn commit(&mut self) -> Taken {
        let commit = self.ledger.next(true).unwrap();
        self.ask(&Request::Commit(commit)).unwrap()
    }

    /// Notes what a service has, and writes it.
    fn set(&mut self, name: &str, addresses: &[IpAddr]) -> Taken {
        self.record(name, addresses);
        self.commit()
    }

    fn record(&mut self, name: &str, addresses: &[IpAddr]) {
        let given = Given {
            addresses: addresses.iter().copied().collect(),
            pool: None,
        };
        self.ledger.record(&key(name), given);
    }

    fn addresses(&self, name: &str) -> Option<Vec<IpAddr>> {
        self.ledger.addresses(&key(name)).map(<[IpAddr]>::to_vec)
    }
}

fn ip(n: u8) -> [IpAddr; 1] {
    [IpAddr::from([192, 0, 2, n])]
}

fn keys(names: &[&str]) -> BTreeSet<ServiceKey> {
    names.iter().map(|name| key(name)).collect()
}

#[test]
fn entries_survive_a_restart_and_end_with_the_service() {
    let fixture = Fixture::new();
    let mut journal = fixture.open();
    assert!(!journal.ledger.is_read());
    assert_eq!(journal.refresh(), keys(&[]));
    assert!(journal.ledger.is_read() && !fixture.path().exists());
    assert_eq!(journal.set("a", &ip(1)).entered, keys(&["a"]));
    let pool = Some("gold".into());
    let addresses = ip(2).to_vec().into();
    journal.ledger.record(&key("b"), Given { addresses, pool });
    journal.commit();
    assert_eq!(
        fixture.text(),
        "{\"service\":\"default/a\",\"addresses\":[\"192.0.2.1\"]}\n\
         {\"service\":\"default/b\",\"addresses\":[\"192.0.2.2\"],\"pool\":\"gold\"}\n"
    );
    journal.set("a", &[]);
    assert!(!journal.ledger.is_foreign(&key("b")));

    let mut restarted = fixture.open();
    assert_eq!(restarted.refresh(), keys(&["b"]));
    assert_eq!(restarted.addresses("b"), Some(ip(2).to_vec()));
    assert_eq!(restarted.addresses("a"), None);
    assert_eq!(
        restarted.ledger.pool(&key("b")).map(|pool| &**pool),
        Some("gold")
    );
    assert!(restarted.ledger.is_foreign(&key("b")));
}

#[test]
fn what_was_decided_on_an_older_version_is_refused() {
    let fixture = Fixture::new();
    let (mut one, mut two) = (fixture.open(), fixture.open());
    one.refresh();
    two.refresh();
    one.set("a", &ip(1));
    let taken = two.set("b", &ip(1));
    assert_eq!((taken.changed, taken.void), (keys(&["a"]), keys(&["b"])));
    assert_eq!(two.addresses("b"), None);
    assert_eq!(two.set("b", &ip(2)).entered, keys(&["b"]));
    assert_eq!(one.refresh(), keys(&["b"]));
    assert_eq!(one.refresh(), keys(&[]), "and each thing once");

    // News while lines are on their way: all that was decided is void, once.
    two.record("c", &ip(3));
    let late = two.ledger.next(true).unwrap();
    one.set("d", &ip(3));
    two.record("e", &ip(4));
    let taken = two.ask(&Request::Read).unwrap();
    assert_eq!(
        (taken.changed, taken.void),
        (keys(&["d"]), keys(&["c", "e"]))
    );
    assert_eq!(two.ask(&Request::Commit(late)).unwrap(), Taken::default());
    assert_eq!(fixture.text().lines().count(), 3);
}

#[test]
fn a_locked_file_is_for_later() {
    let fixture = Fixture::new();
    let mut journal = fixture.open();
    journal.refresh();
    journal.set("a", &ip(1));
    let lock = fs::File::open(fixture.path()).unwrap();
    lock.lock().unwrap();
    assert!(
        journal.ask(&Request::Read).is_some(),
        "there is nothing new"
    );
    journal.record("b", &ip(2));
    let commit = Request::Commit(journal.ledger.next(true).unwrap());
    assert_eq!(journal.ask(&commit), None);
    drop(lock);
    assert_eq!(journal.ask(&commit).unwrap().entered, keys(&["b"]));
}

#[test]
fn a_torn_last_line_is_ended_and_damaged_lines_are_skipped() {
    let fixture = Fixture::new();
    let mut journal = fixture.open();
    journal.refresh();
    journal.set("a", &ip(1));
    let torn = fixture.text() + &"nonsense\n".repeat(20) + "{\"service\":\"default/b\",\"addr";
    fs::write(fixture.path(), torn).unwrap();
    let mut journal = fixture.open();
    journal.refresh();
    journal.set("c", &ip(3));
    let damaged = &journal.damaged;
    assert_eq!(damaged.len(), 11, "{damaged:?}");
    assert!(damaged[0].contains("journal:2: damaged: "), "{damaged:?}");
    assert!(
        damaged[10].ends_with("11 more damaged lines; skipped"),
        "{damaged:?}"
    );
    assert_eq!(fixture.open().refresh(), keys(&["a", "c"]));
}

#[test]
fn it_is_compacted_when_it_has_grown_and_the_others_notice() {
    let fixture = Fixture::new();
    let (mut one, mut two) = (fixture.open(), fixture.open());
    one.refresh();
    one.set("a", &ip(1));
    two.refresh();
    let line = "{\"service\":\"default/b\",\"addresses\":[\"192.0.2.3\"]}\n";
    fs::write(fixture.path(), fixture.text() + &line.repeat(SLACK + 3)).unwrap();
    one.refresh();
    // Whatever lies there under the name of the new file is not written to.
    let precious = fixture.dir.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    symlink(&precious, fixture.dir.path().join("journal.tmp")).unwrap();
    one.set("c", &ip(4));
    assert_eq!(fixture.text().lines().count(), 3);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    assert_eq!(two.refresh(), keys(&["b", "c"]));
    assert_eq!(two.set("d", &ip(5)).changed, keys(&[]));
    assert_eq!(one.refresh(), keys(&["d"]));
    assert!(!one.ledger.is_foreign(&key("c")));
}

#[test]
fn an_unusable_file_is_told_and_made_up_for_later() {
    let fixture = Fixture::new();
    let path = fixture.dir.path().join("missing/journal");
    let mut journal = Journal::new(path.clone());
    journal.refresh();
    assert_eq!(journal.set("a", &ip(1)).entered, keys(&["a"]));
    let problem = journal.problem.clone().unwrap();
    assert!(problem.contains("create its directory"), "{problem}");
    assert_eq!(journal.addresses("a"), Some(ip(1).to_vec()));

    fs::create_dir(path.parent().unwrap()).unwrap();
    assert!(journal.ledger.has_unsaved());
    journal.commit();
    assert_eq!(journal.problem, None);
    assert_eq!(Journal::new(path).refresh(), keys(&["a"]));
}

#[test]
fn what_is_there_and_cannot_be_read_is_not_taken_for_nothing() {
    let fixture = Fixture::new();
    let elsewhere = fixture.dir.path().join("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    symlink(&elsewhere, fixture.path()).unwrap();
    let mut linked = fixture.open();
    linked.refresh();
    assert!(!linked.ledger.is_read() && linked.problem.is_some());

    fs::remove_file(fixture.path()).unwrap();
    let file = fs::File::create(fixture.path()).unwrap();
    file.set_len(33 << 20).unwrap();
    let mut large = fixture.open();
    large.refresh();
    assert!(!large.ledger.is_read());
    assert!(large.problem.unwrap().contains("larger than 32 MiB"));
}

#[test]
fn a_deleted_or_emptied_file_is_written_again() {
    let fixture = Fixture::new();
    let mut journal = fixture.open();
    journal.refresh();
    journal.set("a", &ip(1));
    fs::remove_file(fixture.path()).unwrap();
    assert_eq!(journal.refresh(), keys(&[]));
    journal.commit();
    assert_eq!(fixture.open().refresh(), keys(&["a"]));
    fs::write(fixture.path(), "").unwrap();
    assert_eq!(journal.refresh(), keys(&[]));
    journal.commit();
    assert_eq!(fixture.open().refresh(), keys(&["a"]));
}

#[test]
fn the_configuration_in_force_is_kept_for_oneself() {
    let fixture = Fixture::new();
    let mut journal = fixture.open();
    journal.refresh();
    assert_eq!(journal.before, None);
    journal.ask(&Request::Keep("password: secret".to_owned()));
    assert_eq!(journal.problem, None);
    let kept = fixture.dir.path().join("journal.n.config");
    let mode = fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut restarted = fixture.open();
    restarted.refresh();
    assert_eq!(restarted.before.as_deref(), Some("password: secret"));
    let mut other = Journal::new(fixture.path());
    other.store = Store::new(fixture.path(), "m", || ());
    other.refresh();
    assert_eq!(other.before, None, "it is of this node");
}

#[test]
fn two_processes_worth_of_grants_never_meet() {
    let fixture = Fixture::new();
    let grant = |prefix: &'static str| {
        let path = fixture.path();
        thread::spawn(move || {
            let mut journal = Journal::new(path);
            while journal.ask(&Request::Read).is_none() {
                thread::yield_now();
            }
            for n in 0..50 {
                let name = format!("{prefix}{n}");
                while journal.addresses(&name).is_none() {
                    let mut all = (0..=255).map(ip);
                    let free = all.find(|ip| !journal.ledger.has_any(ip)).unwrap();
                    journal.record(&name, &free);
                    let commit = Request::Commit(journal.ledger.next(true).unwrap());
                    while journal.ask(&commit).is_none() {
                        thread::yield_now();
                    }
                }
            }
        })
    };
    let threads = [grant("a"), grant("b")];
    for thread in threads {
        thread.join().unwrap();
    }
    let recorded = recorded(&fixture.path());
    let all: BTreeSet<IpAddr> = recorded.into_values().flatten().collect();
    assert_eq!(all.len(), 100);
}
