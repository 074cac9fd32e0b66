//! What a daemon knows after a restart, and a journal that does not answer.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// A service that asks for addresses of a pool.
fn asking(pool: &str) -> String {
    let annotated = format!("name: web, annotations: {{metallb.io/address-pool: {pool}}}}}");
    web().replacen("name: web}", &annotated, 1)
}

fn both() -> String {
    config(&(pool("a", "192.0.2.0/28") + &pool("b", "203.0.113.0/28")))
}

#[test]
fn a_configuration_that_waits_goes_on_waiting() {
    let dir = Dir::new();
    let first = Daemon::started(
        &dir.journal(),
        &[("c.yaml", &both()), ("w.yaml", &asking("a"))],
    );
    drop(first);
    let files = [("c.yaml", &*both()), ("w.yaml", &asking("a"))];
    let mut daemon = Daemon::started(&dir.journal(), &files);
    daemon.write("w.yaml", &asking("b"));
    assert_eq!(
        daemon.vips(),
        ["203.0.113.0"],
        "as fast as any other change"
    );
    daemon.write("c.yaml", &usual());
    daemon.pass(MINUTE);
    assert_eq!(daemon.vips(), ["203.0.113.0"]);
    for _ in 0..2 {
        let files = [("c.yaml", &*usual()), ("w.yaml", &asking("b"))];
        let mut daemon = Daemon::started(&dir.journal(), &files);
        daemon.pass(MINUTE);
        assert_eq!(daemon.vips(), ["203.0.113.0"]);
        let status = daemon.status();
        assert!(status.problems.configuration[0].contains("203.0.113.0 of default/web"));
        assert!(!status.configuration.up_to_date);
    }
}

#[test]
fn without_what_was_in_force_an_address_in_use_is_kept_and_nothing_is_given() {
    let dir = Dir::new();
    drop(Daemon::started(
        &dir.journal(),
        &[("c.yaml", &usual()), ("w.yaml", &web())],
    ));
    fs::remove_file(dir.0.path().join("journal.n.config")).unwrap();
    let slipped = config(&pool("a", "192.0.3.0/28"));
    let files = [("c.yaml", &*slipped), ("w.yaml", &web())];
    let mut daemon = Daemon::started(&dir.journal(), &files);
    daemon.write("x.yaml", &service("x", ""));
    daemon.pass(MINUTE);
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
    assert_eq!(daemon.address("default/x"), "");
    let told = daemon.status().problems.configuration.remove(0);
    assert!(
        told.contains("what was in force before is not known here"),
        "{told}"
    );
    drop(daemon);
    assert!(!dir.0.path().join("journal.n.config").exists());

    let other = config(&pool("b", "192.0.3.0/28"));
    let files = [("c.yaml", &*other), ("w.yaml", &web())];
    let mut daemon = Daemon::started(&dir.journal(), &files);
    daemon.pass(MINUTE);
    assert_eq!(
        daemon.address("default/web"),
        "192.0.2.0",
        "but no way to announce it"
    );
    assert_eq!(daemon.vips(), [""; 0]);
    assert_eq!(dir.lines(), ["web,addresses:[192.0.2.0]}"]);
}

/// An entry that was about to be replaced when the daemon ended keeps the configuration of before from
/// being in force for good, not the addresses of its pools from being announced.
#[test]
fn what_was_in_force_goes_on_though_an_entry_does_not_fit_it() {
    let dir = Dir::new();
    let (c, v) = (pools(&["d"]), text("v", ""));
    drop(Daemon::started(
        &dir.journal(),
        &[("c.yaml", &c), ("v.yaml", &v)],
    ));
    let asks = text("v", "a");
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &c), ("v.yaml", &asks)]);
    daemon.write("c.yaml", &pools(&["c"]));
    daemon.write("s.yaml", &text("s", ""));
    assert_eq!(daemon.vips(), ["203.0.113.0"]);
    drop(daemon);

    for names in [&[][..], &["a"], &["c"]] {
        let (c, s) = (pools(names), text("s", ""));
        let files = [("c.yaml", &*c), ("s.yaml", &*s), ("v.yaml", &*v)];
        let mut daemon = Daemon::started(&dir.journal(), &files);
        daemon.write("x.yaml", &text("x", ""));
        daemon.pass(MINUTE);
        assert_eq!(daemon.vips(), ["203.0.113.0"], "{names:?}");
        let told = daemon.status().problems.configuration.remove(0);
        assert!(
            told.contains("what was in force before does not have"),
            "{told}"
        );
        assert_eq!(daemon.address("default/x"), "", "{names:?}");
        if names == ["c"] {
            daemon.delete("v.yaml");
            daemon.pass(MINUTE);
            assert_eq!(daemon.vips(), ["203.0.113.0", "203.0.113.1"]);
            assert_eq!(daemon.status().problems.configuration, [""; 0]);
        }
    }
}

#[test]
fn an_empty_directory_at_the_start_ends_nothing() {
    let dir = Dir::new();
    let files = [
        ("c.yaml", &*usual()),
        ("x.yaml", &service("x", "")),
        ("w.yaml", &web()),
    ];
    drop(Daemon::started(&dir.journal(), &files));
    let before = dir.lines();
    let mut daemon = Daemon::started(&dir.journal(), &[]);
    daemon.pass(MINUTE);
    assert_eq!(dir.lines(), before);
    // A part comes, and the rest so late that its entries have ended.
    daemon.write("c.yaml", &usual());
    daemon.write("x.yaml", &service("x", ""));
    daemon.pass(MINUTE);
    daemon.write("w.yaml", &web());
    assert_eq!(daemon.address("default/x"), "192.0.2.1");
    assert_eq!(daemon.address("default/web"), "192.0.2.0");
    assert_eq!(daemon.vips(), ["192.0.2.0", "192.0.2.1"]);
}

#[test]
fn a_disk_that_hangs_holds_up_only_what_has_to_be_written() {
    let dir = Dir::new();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    daemon.hangs = true;
    daemon.write("x.yaml", &service("x", ""));
    assert_eq!(daemon.vips(), ["192.0.2.0"], "it could be given twice");
    daemon.pass(3 * SECOND);
    assert!(daemon.status().problems.other[0].contains("its disk does not answer"));
    daemon.write("w.yaml", &web().replace("ready: true", "ready: false"));
    assert_eq!(daemon.vips(), [""; 0], "all else goes on");
    daemon.write("w.yaml", &web());
    daemon.write(
        "c.yaml",
        &config(&(pool("a", "192.0.2.0/24") + &pool("b", "203.0.113.0/28"))),
    );
    assert_eq!(daemon.status().pools.len(), 2);
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
    daemon.write("y.yaml", &service("y", ""));
    daemon.delete("x.yaml");
    daemon.hangs = false;
    daemon.settle();
    assert_eq!(daemon.vips().len(), 2);
    assert!(daemon.status().problems.other.is_empty());
    let (now, lines) = (daemon.addresses(), dir.lines());
    drop(daemon);
    let kept = Daemon::started(
        &dir.journal(),
        &[
            ("c.yaml", &both()),
            ("w.yaml", &web()),
            ("y.yaml", &service("y", "")),
        ],
    );
    assert_eq!(kept.addresses(), now);
    assert_eq!(dir.lines(), lines);
}

#[test]
fn a_disk_that_hangs_while_a_configuration_is_kept_is_told_of() {
    let dir = Dir::new();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    daemon.pass(MINUTE);
    assert_eq!(daemon.status().problems.other, [""; 0]);
    daemon.hangs = true;
    daemon.write("c.yaml", &config(&pool("a", "192.0.2.0/24")));
    daemon.pass(3 * SECOND);
    assert!(daemon.status().problems.other[0].contains("its disk does not answer"));
    daemon.hangs = false;
    daemon.settle();
    assert_eq!(daemon.status().problems.other, [""; 0]);
}

#[test]
fn a_disk_that_hangs_at_the_start_holds_everything_up() {
    let dir = Dir::new();
    drop(Daemon::started(
        &dir.journal(),
        &[("c.yaml", &usual()), ("w.yaml", &web())],
    ));
    let mut daemon = Daemon::new(&dir.journal());
    daemon.hangs = true;
    daemon.start(&[
        ("c.yaml", &usual()),
        ("a.yaml", &service("a", "")),
        ("w.yaml", &web()),
    ]);
    daemon.pass(3 * SECOND);
    assert!(daemon.log.sets().is_empty());
    assert_eq!(
        daemon.driver.lacks()[0],
        "the journal has not been read yet"
    );
    daemon.hangs = false;
    daemon.settle();
    assert_eq!(daemon.address("default/web"), "192.0.2.0");
    assert_eq!(daemon.vips().len(), 2);
}

#[test]
fn a_journal_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    let dir = Dir::new();
    fs::create_dir(dir.journal()).unwrap();
    let mut daemon = Daemon::started(&dir.journal(), &[("c.yaml", &usual()), ("w.yaml", &web())]);
    assert!(daemon.log.sets().is_empty());
    assert!(
        daemon.driver.lacks()[1].contains("it is not a file")
            || daemon.driver.lacks()[1].contains("directory")
    );
    fs::remove_dir(dir.journal()).unwrap();
    daemon.pass(MINUTE);
    assert_eq!(daemon.vips(), ["192.0.2.0"]);
}

/// An entry of before the restart does not fit any more. Until it is replaced, its address is
/// announced, and nobody else's, whether the other service is there already or comes then.
#[test]
fn an_address_is_nobody_elses_until_the_journal_says_that_its_service_has_another() {
    for comes_later in [true, false] {
        let dir = Dir::new();
        let (c, u) = (pools(&["a", "b"]), text("u", "b"));
        drop(Daemon::started(
            &dir.journal(),
            &[("c.yaml", &c), ("u.yaml", &u)],
        ));
        let (u, s) = (text("u", "a"), text("s", "b"));
        let mut files = vec![("c.yaml", &*c), ("u.yaml", &*u)];
        if !comes_later {
            files.push(("s.yaml", &s));
        }
        let mut daemon = Daemon::started(&dir.journal(), &files);
        if comes_later {
            assert_eq!(daemon.vips(), ["198.51.100.0"]);
            daemon.write("s.yaml", &s);
        }
        assert_eq!(daemon.vips(), ["198.51.100.0", "198.51.100.1"]);
        assert_eq!(daemon.address("default/u"), "198.51.100.0");
        assert_eq!(daemon.address("default/s"), "198.51.100.1");
        daemon.pass(2 * SECOND);
        assert_eq!(daemon.vips(), ["192.0.2.0", "198.51.100.1"]);
        assert_eq!(daemon.address("default/u"), "192.0.2.0");
        daemon.write("t.yaml", &text("t", "b"));
        assert_eq!(daemon.address("default/t"), "198.51.100.0", "free again");
    }
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Write(&'static str, &'static str),
    Delete(&'static str),
    Configure(Vec<&'static str>),
    Hang(bool),
    Pause(u64),
    Restart,
}

const POOLS: [(&str, &str); 4] = [
    ("a", "192.0.2.0/30"),
    ("b", "198.51.100.0/30"),
    ("c", "203.0.113.0/30"),
    ("d", "203.0.113.128/31"),
];

fn any_step() -> impl Strategy<Value = Step> {
    let pools = proptest::sample::subsequence(POOLS.map(|(name, _)| name).to_vec(), 0..=4);
    prop_oneof![
        6 => (select(vec!["s", "t", "u", "v"]), select(vec!["", "", "a", "b"]))
            .prop_map(|(name, pool)| Step::Write(name, pool)),
        2 => select(vec!["s", "t", "u", "v"]).prop_map(Step::Delete),
        4 => pools.prop_map(Step::Configure),
        2 => any::<bool>().prop_map(Step::Hang),
        4 => (1..20_000u64).prop_map(Step::Pause),
        4 => Just(Step::Restart),
    ]
}

fn text(name: &str, asked: &str) -> String {
    if asked.is_empty() {
        return service(name, "");
    }
    let annotated = format!("name: {name}, annotations: {{metallb.io/address-pool: {asked}}}}}");
    service(name, "").replacen(&format!("name: {name}}}"), &annotated, 1)
}

fn pools(names: &[&str]) -> String {
    let pools = POOLS.iter().filter(|(name, _)| names.contains(name));
    config(
        &pools
            .map(|(name, block)| pool(name, block))
            .collect::<String>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// An address that was announced for a service stays its own, and nobody else's, whatever
    /// configurations, pauses, restarts and hanging disks come, until the service asks for another
    /// or goes.
    #[test]
    fn addresses_stay(steps in prop::collection::vec(any_step(), 1..40)) {
        let dir = Dir::new();
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        files.insert("c.yaml".to_owned(), pools(&["a", "b"]));
        let start = |files: &BTreeMap<String, String>| {
            let files: Vec<_> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
            Daemon::started(&dir.journal(), &files)
        };
        let mut daemon = start(&files);
        let mut owned: BTreeMap<String, String> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Write(name, pool) => {
                    let file = format!("{name}.yaml");
                    let text = text(name, pool);
                    if files.get(&file) != Some(&text) {
                        owned.remove(name);
                    }
                    daemon.write(&file, &text);
                    files.insert(file, text);
                }
                Step::Delete(name) => {
                    let file = format!("{name}.yaml");
                    owned.remove(name);
                    if files.remove(&file).is_some() {
                        daemon.delete(&file);
                    }
                }
                Step::Configure(names) => {
                    let text = pools(&names);
                    daemon.write("c.yaml", &text);
                    files.insert("c.yaml".to_owned(), text);
                }
                Step::Hang(hangs) => {
                    daemon.hangs = hangs;
                    daemon.settle();
                }
                Step::Pause(millis) => daemon.pass(Duration::from_millis(millis)),
                Step::Restart => {
                    drop(daemon);
                    daemon = start(&files);
                }
            }
            let Some(set) = daemon.log.sets().last().cloned() else {
                continue;
            };
            for address in set.by_vip.keys() {
                let services = daemon.driver.speaker.services_on(*address);
                prop_assert_eq!(services.len(), 1);
                let service = services[0].name().to_owned();
                let vip = address.to_string();
                // Until a change is in the journal, what was before goes on.
                let file = &files[&format!("{service}.yaml")];
                let asked = POOLS.iter().find(|(pool, _)| file.contains(&format!("address-pool: {pool}}}")));
                let block = asked.map_or("0.0.0.0/0", |(_, block)| block);
                let block: ipnet::IpNet = block.parse().unwrap();
                if !block.contains(address) {
                    continue;
                }
                // A service that has asked for another meanwhile may have to leave it to others.
                if daemon.hangs && !owned.contains_key(&service) {
                    continue;
                }
                let before = owned.entry(service.clone()).or_insert_with(|| vip.clone());
                prop_assert_eq!(&*before, &vip, "of {}", service);
            }
            let different: BTreeSet<_> = owned.values().collect();
            prop_assert_eq!(different.len(), owned.len(), "{:?}", owned);
            for (service, vip) in &owned {
                let is_there = set.by_vip.keys().any(|there| there.to_string() == *vip);
                prop_assert!(is_there, "{} of {} is gone", vip, service);
            }
        }
    }
}
