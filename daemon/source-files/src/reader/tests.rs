#![expect(clippy::disallowed_types, reason = "files that others write")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use carillon_objects::ObjectKey;

use super::*;
use crate::agenda::Notice;

/// A source over a directory, and what it has told.
struct Fixture {
    dir: tempfile::TempDir,
    receiver: mpsc::Receiver<Batch<Word>>,
}

impl Fixture {
    fn over(dir: tempfile::TempDir) -> Self {
        let options = options(dir.path());
        Self {
            receiver: spawn(options).unwrap(),
            dir,
        }
    }

    fn new() -> Self {
        let mut fixture = Self::over(tempfile::tempdir().unwrap());
        assert!(fixture.next().synced);
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The next batch; a test that waits for what never comes fails.
    fn next(&mut self) -> Batch<Word> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let batch =
            async { tokio::time::timeout(Duration::from_secs(20), self.receiver.recv()).await };
        runtime
            .block_on(batch)
            .expect("no batch came in time")
            .expect("the source ended")
    }

    /// The next changes of objects, as `name` or `-name`.
    fn changes(&mut self) -> Vec<String> {
        loop {
            let batch = self.next();
            if !batch.changes.is_empty() {
                return batch.changes.into_iter().map(shown).collect();
            }
        }
    }
}

fn options(dir: &Path) -> Options {
    Options {
        dir: dir.to_owned(),
        config: ObjectKey::config_map("metallb-system", "config"),
        journal: dir.join(".journal"),
    }
}

fn shown(change: Change) -> String {
    match change {
        Change::Set(key, _) => key.name.name().to_owned(),
        Change::Removed(key) => format!("-{}", key.name.name()),
    }
}

fn service(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: 80}}]}}\n"
    )
}

#[test]
fn what_is_there_at_the_start_comes_in_one_batch() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yaml"), service("a")).unwrap();
    fs::write(dir.path().join("b.yml"), service("b")).unwrap();
    fs::write(
        dir.path().join("c.json"),
        r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "c"},
            "spec": {"ports": [{"port": 80}]}}"#,
    )
    .unwrap();
    fs::write(dir.path().join(".hidden.yaml"), service("hidden")).unwrap();
    fs::write(dir.path().join("notes.txt"), service("text")).unwrap();
    fs::write(dir.path().join("latin.yaml"), b"a: \xe9\n").unwrap();
    fs::create_dir(dir.path().join("dir.yaml")).unwrap();
    nix::unistd::mkfifo(&dir.path().join("pipe.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    symlink("/dev/zero", dir.path().join("zero.yaml")).unwrap();
    symlink("nowhere", dir.path().join("dangling.yaml")).unwrap();
    let mut fixture = Fixture::over(dir);
    let batch = fixture.next();
    assert!(batch.synced);
    assert_eq!(
        batch.changes.into_iter().map(shown).collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
    let problems = batch.problems.unwrap();
    let about: Vec<String> = problems
        .objects
        .iter()
        .map(|p| format!("{} {}", p.file, p.message))
        .collect();
    let expected = [
        (
            "dangling.yaml",
            "is a symbolic link to nowhere, which does not exist",
        ),
        ("dir.yaml", "is a directory"),
        ("latin.yaml", "line 1, column 4: the byte 0x"),
        ("pipe.yaml", "is a named pipe"),
        ("zero.yaml", "is a device"),
    ];
    assert_eq!(about.len(), expected.len(), "{about:?}");
    for (text, (file, message)) in about.iter().zip(expected) {
        assert!(text.contains(file) && text.contains(message), "{text}");
    }
}

#[test]
fn written_moved_and_deleted_files_are_noticed() {
    let mut fixture = Fixture::new();
    fs::write(fixture.path("a.yaml"), service("a")).unwrap();
    assert_eq!(fixture.changes(), ["a"]);
    fs::write(fixture.path("b.tmp"), service("b")).unwrap();
    fs::rename(fixture.path("b.tmp"), fixture.path("b.yaml")).unwrap();
    assert_eq!(fixture.changes(), ["b"]);
    fs::rename(fixture.path("b.yaml"), fixture.path("b.off")).unwrap();
    assert_eq!(fixture.changes(), ["-b"]);
    fs::hard_link(fixture.path("b.off"), fixture.path("hard.yaml")).unwrap();
    assert_eq!(fixture.changes(), ["b"]);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("c"), service("c")).unwrap();
    symlink(elsewhere.path().join("c"), fixture.path("c.yaml")).unwrap();
    assert_eq!(fixture.changes(), ["c"]);
    fs::remove_file(fixture.path("a.yaml")).unwrap();
    assert_eq!(fixture.changes(), ["-a"]);
}

#[test]
fn a_file_is_not_read_while_it_is_being_written() {
    use std::io::Write;
    let mut fixture = Fixture::new();
    let mut file = fs::File::create(fixture.path("a.yaml")).unwrap();
    file.write_all(service("a").as_bytes()).unwrap();
    file.write_all(b"---\n").unwrap();
    // Whatever comes next shows that the open file was passed over.
    fs::write(fixture.path("b.yaml"), service("b")).unwrap();
    assert_eq!(fixture.changes(), ["b"]);
    file.write_all(service("c").as_bytes()).unwrap();
    drop(file);
    assert_eq!(fixture.changes(), ["a", "c"]);
}

#[test]
fn saving_as_vim_does_takes_nothing_away() {
    let mut fixture = Fixture::new();
    fs::write(fixture.path("a.yaml"), service("a")).unwrap();
    assert_eq!(fixture.changes(), ["a"]);
    fs::rename(fixture.path("a.yaml"), fixture.path("a.yaml~")).unwrap();
    fs::write(
        fixture.path("a.yaml"),
        service("a").replace("port: 80", "port: 1"),
    )
    .unwrap();
    fs::remove_file(fixture.path("a.yaml~")).unwrap();
    assert_eq!(fixture.changes(), ["a"]);
}

#[test]
fn a_link_to_nothing_takes_nothing_away() {
    let mut fixture = Fixture::new();
    fs::write(fixture.path("a.yaml"), service("a")).unwrap();
    assert_eq!(fixture.changes(), ["a"]);
    symlink("nowhere", fixture.path(".t")).unwrap();
    fs::rename(fixture.path(".t"), fixture.path("a.yaml")).unwrap();
    let batch = fixture.next();
    assert!(batch.changes.is_empty(), "{batch:?}");
    let problems = Vec::from_iter(batch.problems.unwrap().texts());
    let told = "a.yaml: is a symbolic link to nowhere, which does not exist: mend or remove it (the \
                last good version stays in force)";
    assert!(
        problems.len() == 1 && problems[0].ends_with(told),
        "{problems:?}"
    );
    // Without the link it is gone.
    fs::remove_file(fixture.path("a.yaml")).unwrap();
    assert_eq!(fixture.changes(), ["-a"]);
}

#[test]
fn a_file_that_is_empty_for_a_moment_is_not_looked_at_yet() {
    let mut fixture = Fixture::new();
    fs::write(fixture.path("a.yaml"), service("a")).unwrap();
    assert_eq!(fixture.changes(), ["a"]);
    fs::write(fixture.path("a.yaml"), "").unwrap();
    // Whatever comes next shows that it was passed over.
    fs::write(fixture.path("b.yaml"), service("b")).unwrap();
    let batch = fixture.next();
    assert!(batch.problems.is_none(), "{batch:?}");
    assert_eq!(
        batch.changes.into_iter().map(shown).collect::<Vec<_>>(),
        ["b"]
    );
    // It stays empty.
    let batch = fixture.next();
    assert!(batch.changes.is_empty(), "{batch:?}");
    let problems = Vec::from_iter(batch.problems.unwrap().texts());
    assert!(
        problems[0].contains("a.yaml: is empty: delete the file"),
        "{problems:?}"
    );
}

#[test]
fn a_name_is_told_on_one_line_and_as_no_other_name() {
    let shown = |path: &str| label(Path::new(path)).to_string();
    assert_eq!(shown("/d/büro 1.yaml"), "/d/büro 1.yaml");
    assert_eq!(shown("/d/a\\n.yaml"), "/d/a\\\\n.yaml");
    assert_eq!(
        shown("/d/e\u{1b}[31m\nFAKE.yaml"),
        "/d/e\\u{1b}[31m\\nFAKE.yaml"
    );
    assert_eq!(shown("/d/\u{202e}lmay.yaml"), "/d/\\u{202e}lmay.yaml");
    let confusable = ["a\n", "a\\n", "a\\\n", "a\\\\n", "a\\n\n"];
    let told: HashSet<String> = confusable.into_iter().map(shown).collect();
    assert_eq!(told.len(), confusable.len(), "{told:?}");
}

/// However many files are broken, what is told of one more is as long.
#[test]
fn thousands_of_broken_files_are_told_in_short() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..3000 {
        fs::write(dir.path().join(format!("{n}.yaml")), "a: [").unwrap();
    }
    let mut fixture = Fixture::over(dir);
    let problems = fixture.next().problems.unwrap();
    assert_eq!(
        (problems.objects.len(), problems.omitted),
        (LISTED, 3000 - LISTED)
    );
    fs::write(fixture.path("x.yaml"), "a: [").unwrap();
    let problems = fixture.next().problems.unwrap();
    assert_eq!(
        (problems.objects.len(), problems.omitted),
        (LISTED, 3001 - LISTED)
    );
}

#[test]
fn a_swap_of_the_data_link_rereads_all() {
    let dir = tempfile::tempdir().unwrap();
    let version = |n: u32, text: &str| {
        let version = dir.path().join(format!("..{n}"));
        fs::create_dir(&version).unwrap();
        fs::write(version.join("a.yaml"), text).unwrap();
        symlink(format!("..{n}"), dir.path().join("..data_tmp")).unwrap();
        fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
    };
    version(1, &service("a"));
    symlink("..data/a.yaml", dir.path().join("a.yaml")).unwrap();
    let mut receiver = spawn(options(dir.path())).unwrap();
    assert_eq!(
        receiver
            .blocking_recv()
            .unwrap()
            .changes
            .into_iter()
            .map(shown)
            .collect::<Vec<_>>(),
        ["a"]
    );
    version(2, &service("b"));
    let changes = receiver.blocking_recv().unwrap().changes;
    assert_eq!(
        changes.into_iter().map(shown).collect::<Vec<_>>(),
        ["-a", "b"]
    );
}

/// Lets a source work until it has forgotten a file, and returns what it told meanwhile.
fn until_forgotten(source: &mut Source, name: &str) -> Vec<Batch<Word>> {
    let mut told = Vec::new();
    let start = Instant::now();
    while source.stamps.contains_key(name) {
        assert!(start.elapsed() < Duration::from_secs(20), "{told:?}");
        source.watch.wait(Duration::from_millis(20));
        told.push(source.step());
    }
    told.retain(|batch| !batch.is_empty());
    told
}

#[test]
fn a_file_that_is_renamed_is_no_contradiction() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("web.yaml"), service("a")).unwrap();
    let mut source = Source::new(options(dir.path()));
    while source.stamps.is_empty() {
        source.step();
    }
    for (from, to) in [("web.yaml", "zz.yaml"), ("zz.yaml", "aa.yaml")] {
        fs::rename(path(from), path(to)).unwrap();
        let told = until_forgotten(&mut source, from);
        assert!(told.is_empty(), "{told:?}");
        assert!(source.stamps.contains_key(to));
    }
    // Two that stay are one.
    fs::write(path("b.yaml"), service("a")).unwrap();
    let problems = loop {
        source.watch.wait(Duration::from_secs(20));
        if let Some(problems) = source.step().problems {
            break problems;
        }
    };
    assert!(
        problems.objects[0].message.contains("also defined in"),
        "{problems:?}"
    );
}

/// As in a directory that another host writes to: nothing but a look at it tells.
#[test]
fn what_was_renamed_unseen_stays_in_force() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("web.yaml"), service("a")).unwrap();
    let mut source = Source::new(options(dir.path()));
    while source.stamps.is_empty() {
        source.step();
    }
    source.watch = Watch::new(elsewhere.path(), elsewhere.path());
    fs::rename(path("web.yaml"), path("zz.yaml")).unwrap();
    source.agenda.note(Notice::Lost, Instant::now());
    let told = until_forgotten(&mut source, "web.yaml");
    assert!(told.is_empty(), "{told:?}");
    assert!(source.stamps.contains_key("zz.yaml"));
}

#[test]
fn a_file_whose_name_is_not_utf8_is_named() {
    use std::os::unix::ffi::OsStrExt as _;
    let mut fixture = Fixture::new();
    let path = fixture
        .dir
        .path()
        .join(std::ffi::OsStr::from_bytes(b"b\xfcro.yaml"));
    fs::write(&path, service("a")).unwrap();
    let problems = fixture.next().problems.unwrap();
    let texts = Vec::from_iter(problems.texts());
    assert!(
        texts.len() == 1
            && texts[0]
                .ends_with("b\\xfcro.yaml: is not read, since its name is not UTF-8: rename it"),
        "{texts:?}"
    );
    fs::rename(&path, fixture.path("büro.yaml")).unwrap();
    let mut seen = Vec::new();
    let mut problems = problems;
    while seen.is_empty() || !problems.objects.is_empty() {
        let batch = fixture.next();
        problems = batch.problems.unwrap_or(problems);
        seen.extend(batch.changes.into_iter().map(shown));
    }
    assert_eq!(seen, ["a"]);
}

#[test]
fn a_file_whose_extension_is_in_capitals_is_named() {
    let mut fixture = Fixture::new();
    fs::write(fixture.path("web.YAML"), service("web")).unwrap();
    fs::write(fixture.path("notes.TXT"), service("text")).unwrap();
    let problems = fixture.next().problems.unwrap();
    let texts = Vec::from_iter(problems.texts());
    let told = "web.YAML: is not read, since its extension is not in small letters: rename it";
    assert!(texts.len() == 1 && texts[0].ends_with(told), "{texts:?}");
    fs::rename(fixture.path("web.YAML"), fixture.path("web.yaml")).unwrap();
    assert_eq!(fixture.changes(), ["web"]);
}

#[test]
fn of_several_changes_of_an_object_the_last_counts() {
    let key = |name: &str| ObjectKey::config_map("x", name);
    let config = carillon_objects::Object::EndpointSlice(None);
    let set = |name: &str| Change::Set(key(name), config.clone());
    let removed = |name: &str| Change::Removed(key(name));
    let mut changes = vec![removed("a"), set("b"), set("a"), removed("c"), removed("b")];
    only_last(&mut changes);
    assert_eq!(changes, [set("a"), removed("c"), removed("b")]);
}

#[test]
fn a_missing_directory_is_told_and_waited_for() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("files");
    let mut receiver = spawn(options(&dir)).unwrap();
    let batch = receiver.blocking_recv().unwrap();
    let error = batch.problems.unwrap().unreachable.join("");
    assert!(error.contains("create it"), "{error}");
    assert!(!batch.synced);

    let ready = parent.path().join("ready");
    fs::create_dir(&ready).unwrap();
    fs::write(ready.join("a.yaml"), service("a")).unwrap();
    fs::rename(&ready, &dir).unwrap();
    let batch = receiver.blocking_recv().unwrap();
    assert!(batch.synced);
    assert!(batch.problems.unwrap().unreachable.is_empty());
    assert_eq!(
        batch.changes.into_iter().map(shown).collect::<Vec<_>>(),
        ["a"]
    );

    // Moved out of sight: what was in it stays in force, and it is taken up again where it left
    // off.
    fs::rename(&dir, &ready).unwrap();
    let batch = receiver.blocking_recv().unwrap();
    assert!(batch.changes.is_empty() && !batch.problems.unwrap().unreachable.is_empty());
    fs::remove_file(ready.join("a.yaml")).unwrap();
    fs::rename(&ready, &dir).unwrap();
    let batch = receiver.blocking_recv().unwrap();
    assert_eq!(
        batch.changes.into_iter().map(shown).collect::<Vec<_>>(),
        ["-a"]
    );
}

fn is_of_journal(batch: &Batch<Word>) -> bool {
    let mut words = batch.words.iter();
    words.any(|word| matches!(word, Word::JournalChanged))
}

#[test]
fn the_journal_is_watched_too() {
    let mut fixture = Fixture::new();
    fs::write(fixture.path(".journal"), "{}\n").unwrap();
    assert!(is_of_journal(&fixture.next()));
    fs::remove_file(fixture.path(".journal")).unwrap();
    assert!(is_of_journal(&fixture.next()));
}

/// The daemon opens its journal for writing whenever it is told of a change: a word about that
/// would never end.
#[test]
fn a_journal_that_was_only_opened_is_no_news() {
    let mut fixture = Fixture::new();
    let open = || {
        let options = fs::OpenOptions::new().append(true).create(true).clone();
        options.open(fixture.path(".journal")).unwrap()
    };
    drop(open());
    drop(open());
    fs::write(fixture.path("a.yaml"), service("a")).unwrap();
    let batch = fixture.next();
    assert!(
        !is_of_journal(&batch) && batch.changes.len() == 1,
        "{batch:?}"
    );
}

#[test]
fn a_file_that_nobody_closes_here_is_read_when_it_has_settled() {
    use nix::fcntl::{AtFlags, OFlag, open};
    let mut fixture = Fixture::new();
    let flags = OFlag::O_TMPFILE | OFlag::O_WRONLY;
    let file = open(fixture.dir.path(), flags, nix::sys::stat::Mode::S_IRWXU).unwrap();
    nix::unistd::write(&file, service("a").as_bytes()).unwrap();
    let name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    let (from, to) = (Path::new(&name), fixture.path("a.yaml"));
    let here = nix::fcntl::AT_FDCWD;
    nix::unistd::linkat(here, from, here, &to, AtFlags::AT_SYMLINK_FOLLOW).unwrap();
    drop(file);
    assert_eq!(fixture.changes(), ["a"]);
}

#[test]
fn a_directory_behind_a_link_is_followed_when_the_link_moves() {
    let parent = tempfile::tempdir().unwrap();
    for version in ["a", "b"] {
        let dir = parent.path().join(version);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("x.yaml"), service(version)).unwrap();
    }
    let link = parent.path().join("files");
    symlink("a", &link).unwrap();
    let mut receiver = spawn(options(&link)).unwrap();
    let first = receiver.blocking_recv().unwrap();
    assert_eq!(
        first.changes.into_iter().map(shown).collect::<Vec<_>>(),
        ["a"]
    );
    symlink("b", parent.path().join("new")).unwrap();
    fs::rename(parent.path().join("new"), &link).unwrap();
    let second = receiver.blocking_recv().unwrap();
    assert_eq!(
        second.changes.into_iter().map(shown).collect::<Vec<_>>(),
        ["-a", "b"]
    );
}

#[test]
fn a_file_too_long_is_refused() {
    let mut fixture = Fixture::new();
    let file = fs::File::create(fixture.path("long.yaml")).unwrap();
    file.set_len((32 << 20) + 1).unwrap();
    drop(file);
    let problems = fixture.next().problems.unwrap();
    assert!(
        problems.objects[0].message.contains("longer than 32 MiB"),
        "{problems:?}"
    );
}

#[test]
fn a_routine_scan_goes_through_the_directory_in_strides() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut source = Source::new(options(dir.path()));
    assert!(source.step().synced);
    // The kernel does not tell.
    source.watch = Watch::new(elsewhere.path(), elsewhere.path());
    for number in 0..=2 * STRIDE {
        let path = dir.path().join(format!("{number}.yaml"));
        fs::write(&path, service(&format!("s{number}"))).unwrap();
    }
    source.agenda.note(Notice::Lost, Instant::now());
    let mut left = || {
        source.step();
        source.backlog.len()
    };
    let steps = [left(), left(), left(), left()];
    assert_eq!(steps, [2 * STRIDE + 1, STRIDE + 1, 1, 0]);
    // Just written, they are left until it is certain that they are complete.
    let named = |number| format!("{number}.yaml");
    assert!((0..=2 * STRIDE).all(|n| source.agenda.is_uncertain(&named(n))));
}

/// It may be on a disk that is mounted late, and nobody tells of its parent.
#[test]
fn a_directory_that_comes_late_is_read_as_a_whole() {
    let above = tempfile::tempdir().unwrap();
    let dir = above.path().join("late").join("objects");
    let mut source = Source::new(options(&dir));
    let batch = source.step();
    assert!(!batch.synced && batch.problems.is_some());

    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("a.yaml"), service("a")).unwrap();
    source.agenda.note(Notice::Lost, Instant::now());
    let batch = source.step();
    assert!(batch.synced);
    let changes: Vec<_> = batch.changes.into_iter().map(shown).collect();
    assert_eq!(changes, ["a"]);
}
