use std::collections::BTreeSet;

use carillon_core::node::Node;
use carillon_core::testing;
use carillon_objects::Object;
use proptest::prelude::*;

use super::*;

const NOW: &str = "03:04:05 UTC";

fn key(name: &str) -> ObjectKey {
    ObjectKey {
        kind: Kind::Service,
        name: testing::key(name),
    }
}

/// A version of an object; what it is does not matter.
fn object(name: &str, version: u32) -> ApiObject {
    ApiObject {
        notes: Vec::new(),
        key: key(name),
        object: Object::Node(Node::named(&version.to_string()).into()),
        version: version.to_string().into(),
        stored: None,
    }
}

fn unreadable(name: Option<&str>) -> Unreadable {
    Unreadable {
        key: name.map(key),
        version: "9".into(),
        errors: vec!["spec.type: \"Balanced\" is not known".to_owned()],
        published: Vec::new(),
    }
}

fn take(mirror: &mut Mirror, events: impl IntoIterator<Item = Event>) -> Batch {
    let mut batch = Batch::default();
    for event in events {
        mirror.take(Kind::Service, event, NOW, &mut batch);
    }
    mirror.finish(&mut batch);
    batch
}

fn list(objects: Vec<Result<ApiObject, Unreadable>>) -> [Event; 3] {
    [Event::Listing, Event::Objects(objects), Event::Listed]
}

/// The names of what is set (`+`) and removed (`-`).
fn changes(batch: &Batch) -> Vec<String> {
    let change = |change: &Change| match change {
        Change::Set(key, _) => format!("+{}", key.name.name()),
        Change::Removed(key) => format!("-{}", key.name.name()),
    };
    let mut changes: Vec<_> = batch.changes.iter().map(change).collect();
    changes.sort();
    changes
}

#[test]
fn a_list_tells_only_what_is_news_and_what_is_gone() {
    let mut mirror = Mirror::new([Kind::Service]);
    let first = take(
        &mut mirror,
        list(vec![Ok(object("a", 1)), Ok(object("b", 2))]),
    );
    assert_eq!(changes(&first), ["+a", "+b"]);
    assert!(first.synced);
    let again = take(
        &mut mirror,
        list(vec![Ok(object("a", 1)), Ok(object("c", 3))]),
    );
    assert_eq!(changes(&again), ["+c", "-b"]);
    assert!(!again.synced);
    let unchanged = take(
        &mut mirror,
        list(vec![Ok(object("c", 3)), Ok(object("a", 1))]),
    );
    assert!(unchanged.is_empty(), "{unchanged:?}");
}

#[test]
fn a_list_that_is_not_complete_takes_nothing_away() {
    let mut mirror = Mirror::new([Kind::Service]);
    take(
        &mut mirror,
        list(vec![Ok(object("a", 1)), Ok(object("b", 2))]),
    );
    let begun = take(
        &mut mirror,
        [Event::Listing, Event::Objects(vec![Ok(object("a", 1))])],
    );
    assert!(begun.is_empty(), "{begun:?}");
    let away = Event::Failed(Class::Connection, "the API server is away".to_owned());
    assert_eq!(changes(&take(&mut mirror, [away])), [""; 0]);
    // The next one begins anew: `a` is in neither half of it.
    let whole = take(&mut mirror, list(vec![Ok(object("b", 2))]));
    assert_eq!(changes(&whole), ["-a"]);
}

#[test]
fn it_is_synced_when_every_kind_has_been_listed_and_without_the_pods_all_but_calling_others() {
    let mut mirror = Mirror::new([Kind::Service, Kind::Node, Kind::Pod]);
    let mut list_of = |kind| {
        let mut batch = Batch::default();
        for event in list(Vec::new()) {
            mirror.take(kind, event, NOW, &mut batch);
        }
        mirror.finish(&mut batch);
        (batch.synced, batch.pods_synced)
    };
    assert_eq!(list_of(Kind::Service), (false, false));
    assert_eq!(list_of(Kind::Node), (true, false));
    assert_eq!(list_of(Kind::Pod), (false, true));
    assert_eq!(list_of(Kind::Pod), (false, false));
    // Where no Pods are followed, there are none to wait for.
    let batch = take(&mut Mirror::new([Kind::Service]), list(Vec::new()));
    assert!(batch.synced && batch.pods_synced);
}

#[test]
fn what_is_not_understood_keeps_its_last_version_and_leaves_the_others_alone() {
    let mut mirror = Mirror::new([Kind::Service]);
    take(&mut mirror, list(vec![Ok(object("a", 1))]));
    let worse = [
        Ok(object("b", 3)),
        Err(unreadable(Some("a"))),
        Err(unreadable(Some("c"))),
    ];
    let worse = take(&mut mirror, list(worse.into()));
    assert_eq!(changes(&worse), ["+b"]);
    let problems: Vec<_> = worse.problems.unwrap().texts().into_iter().collect();
    let what = "spec.type: \"Balanced\" is not known";
    let kept = format!("Service default/a: {what} (the last good version stays in force)");
    assert_eq!(problems, [kept, format!("Service default/c: {what}")]);
    // The same once more is no news.
    assert!(
        take(
            &mut mirror,
            [Event::Objects(vec![Err(unreadable(Some("a")))])]
        )
        .is_empty()
    );
    let mended = take(&mut mirror, [Event::Objects(vec![Ok(object("a", 4))])]);
    assert_eq!(changes(&mended), ["+a"]);
    let gone = take(&mut mirror, [Event::Deleted(key("c"))]);
    assert_eq!(changes(&gone), [""; 0]);
    assert_eq!(*gone.problems.unwrap(), Problems::default());
}

#[test]
fn what_could_never_be_read_keeps_its_addresses_until_it_is_gone() {
    let with_address = || {
        let published = vec!["192.0.2.1".parse().unwrap()];
        Event::Objects(vec![Err(Unreadable {
            published,
            ..unreadable(Some("a"))
        })])
    };
    let is_told =
        |batch: &Batch| matches!(&*batch.words, [ApiChange::Reserved(_, of)] if of.len() == 1);
    let mut mirror = Mirror::new([Kind::Service]);
    assert!(is_told(&take(&mut mirror, [with_address()])));
    let gone = take(&mut mirror, [with_address(), Event::Deleted(key("a"))]);
    assert!(gone.words.is_empty(), "{gone:?}");
    assert_eq!(changes(&gone), ["-a"]);
    // What was read once is kept as it was.
    let read = take(
        &mut mirror,
        [Event::Objects(vec![Ok(object("a", 1))]), with_address()],
    );
    assert!(read.words.is_empty(), "{read:?}");
    assert_eq!(changes(&read), ["+a"]);
}

#[test]
fn what_has_no_name_may_be_any_of_those_that_are_missing() {
    let mut mirror = Mirror::new([Kind::Service]);
    take(
        &mut mirror,
        list(vec![Ok(object("a", 1)), Ok(object("b", 2))]),
    );
    let worse = take(
        &mut mirror,
        list(vec![Ok(object("b", 2)), Err(unreadable(None))]),
    );
    assert_eq!(changes(&worse), [""; 0]);
    let texts = worse.problems.unwrap().texts();
    assert!(
        texts
            .iter()
            .any(|text| text.starts_with("a Service of the cluster: ")),
        "{texts:?}"
    );
    let mended = take(&mut mirror, list(vec![Ok(object("b", 2))]));
    assert_eq!(changes(&mended), ["-a"]);
    assert_eq!(*mended.problems.unwrap(), Problems::default());
}

#[test]
fn a_failure_is_told_once_for_all_kinds_and_until_it_is_over() {
    let mut mirror = Mirror::new([Kind::Service, Kind::Node]);
    let away = |text: &str| Event::Failed(Class::Connection, text.to_owned());
    let told = take(&mut mirror, [away("away: refused")]).problems.unwrap();
    assert_eq!(told.unreachable, ["away: refused (since 03:04:05 UTC)"]);
    let mut batch = Batch::default();
    mirror.take(Kind::Node, away("away: reset"), "03:04:06 UTC", &mut batch);
    mirror.take(
        Kind::Service,
        away("away: timeout"),
        "03:04:07 UTC",
        &mut batch,
    );
    mirror.finish(&mut batch);
    assert!(batch.is_empty(), "{batch:?}");
    assert!(take(&mut mirror, [Event::Works]).is_empty());
    mirror.take(Kind::Node, Event::Works, NOW, &mut batch);
    mirror.finish(&mut batch);
    assert_eq!(*batch.problems.unwrap(), Problems::default());
}

#[test]
fn names_of_what_is_gone_are_forgotten() {
    let mut mirror = Mirror::new([Kind::Service]);
    for n in 0..u32::try_from(3 * SPARE_NAMES).unwrap() {
        let name = format!("service-{n}");
        let event = Event::Objects(vec![Ok(object(&name, n))]);
        take(&mut mirror, [event, Event::Deleted(key(&name))]);
    }
    assert!(
        mirror.names.count() <= SPARE_NAMES,
        "{}",
        mirror.names.count()
    );
}

/// What happens to a cluster, and to a watch of it.
#[derive(Clone, Debug)]
enum Step {
    /// An object is written, in a way that is understood or not.
    Write(u8, bool),
    Delete(u8),
    /// The watch catches up.
    Watch,
    /// The watch has missed what it has not told yet, and lists; at most so many objects arrive
    /// before the list fails and begins anew.
    List(Option<usize>),
    Away,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..6u8;
    let step = prop_oneof![
        4 => (name.clone(), prop::bool::weighted(0.8)).prop_map(|(n, ok)| Step::Write(n, ok)),
        2 => name.prop_map(Step::Delete),
        3 => Just(Step::Watch),
        2 => prop::option::of(0..4usize).prop_map(Step::List),
        1 => Just(Step::Away),
    ];
    prop::collection::vec(step, 0..60)
}

/// An API server with one kind of objects.
#[derive(Default)]
struct Server {
    version: u32,
    objects: BTreeMap<u8, (u32, bool)>,
    /// What the watch has not told yet.
    pending: Vec<Event>,
}

impl Server {
    fn send(name: u8, version: u32, understood: bool) -> Result<ApiObject, Unreadable> {
        let name = name.to_string();
        if understood {
            Ok(object(&name, version))
        } else {
            Err(unreadable(Some(&name)))
        }
    }

    fn write(&mut self, name: u8, understood: bool) {
        self.version += 1;
        self.objects.insert(name, (self.version, understood));
        let object = Self::send(name, self.version, understood);
        self.pending.push(Event::Objects(vec![object]));
    }

    fn delete(&mut self, name: u8) {
        self.version += 1;
        if self.objects.remove(&name).is_some() {
            self.pending.push(Event::Deleted(key(&name.to_string())));
        }
    }

    fn list(&mut self, fails_after: Option<usize>) -> Vec<Event> {
        self.pending.clear();
        let objects = || {
            self.objects
                .iter()
                .map(|(name, (version, ok))| (*name, *version, *ok))
        };
        let send = |(name, version, ok)| Self::send(name, version, ok);
        let mut events = Vec::new();
        if let Some(some) = fails_after {
            events.push(Event::Listing);
            events.push(Event::Objects(objects().take(some).map(send).collect()));
        }
        events.push(Event::Listing);
        events.extend(objects().map(|object| Event::Objects(vec![send(object)])));
        events.push(Event::Listed);
        events
    }
}

/// What the driver has been told.
#[derive(Default)]
struct Driver(BTreeMap<String, Object>);

impl Driver {
    fn take(&mut self, batch: &Batch) -> Result<(), TestCaseError> {
        for change in &batch.changes {
            match change {
                Change::Set(key, object) => {
                    let before = self.0.insert(key.name.name().to_owned(), object.clone());
                    // Only a version that was not understood may come between two equal ones.
                    prop_assert!(before.is_none() || before.as_ref() != Some(object));
                }
                Change::Removed(key) => {
                    prop_assert!(self.0.remove(key.name.name()).is_some());
                }
            }
        }
        Ok(())
    }
}

proptest! {
    /// However often a watch lists, fails and forgets: the driver has of each object that exists
    /// the newest version that is understood since it was created, of no other any.
    #[test]
    fn the_driver_has_what_the_cluster_has(steps in steps()) {
        let mut mirror = Mirror::new([Kind::Service]);
        let (mut server, mut driver) = (Server::default(), Driver::default());
        let mut last = BTreeSet::new();
        for step in steps.into_iter().chain([Step::List(Some(2)), Step::Watch]) {
            let events = match step {
                Step::Write(name, understood) => {
                    server.write(name, understood);
                    continue;
                }
                Step::Delete(name) => {
                    server.delete(name);
                    continue;
                }
                Step::Watch => std::mem::take(&mut server.pending),
                Step::List(fails_after) => server.list(fails_after),
                Step::Away => vec![Event::Failed(Class::Connection, "away".to_owned())],
            };
            let lasting = matches!(step, Step::Away);
            let batch = take(&mut mirror, events);
            prop_assert!(!lasting || batch.changes.is_empty());
            driver.take(&batch)?;
            if let Some(problems) = &batch.problems {
                last = problems.texts();
            }
            if lasting {
                continue;
            }
            for (name, (version, understood)) in &server.objects {
                let told = driver.0.get(&name.to_string());
                let newest = Object::Node(Node::named(&version.to_string()).into());
                if *understood {
                    prop_assert_eq!(told, Some(&newest));
                }
                let about = format!("Service default/{name}:");
                prop_assert_eq!(last.iter().any(|text| text.starts_with(&about)), !understood);
            }
            let known: BTreeSet<String> = server.objects.keys().map(u8::to_string).collect();
            prop_assert!(driver.0.keys().all(|name| known.contains(name)));
        }
    }
}
