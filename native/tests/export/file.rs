//! The file exporter on a real file system: what is written, rotated, kept and refused.

use crate::sending::{block_of, numbered_block, request};
use fapilog_native::block::Codec;
use fapilog_native::console::Style;
use fapilog_native::encode::Form;
use fapilog_native::export::file::{FileSettings, FileTransport, Fsync};
use fapilog_native::export::http::answer::Answer;
use fapilog_native::export::http::Transport;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A folder of this test alone, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("file").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn settings(path: PathBuf) -> FileSettings {
    FileSettings {
        path,
        form: Form::OtlpJson,
        max_bytes: None,
        max_age: None,
        compress_rotated: false,
        keep_files: None,
        keep_age: None,
        fsync: Fsync::Never,
    }
}

fn refusal(settings: FileSettings) -> String {
    FileTransport::new(settings).err().unwrap().to_string()
}

fn send(transport: &FileTransport, name: &str) {
    let block = block_of(&request(&[("scope".into(), vec![(name.into(), 9)])]), Codec::Gzip);
    assert_eq!(transport.send(&block).answer, Answer::Delivered { rejected_records: 0, warning: None });
}

/// The bodies in lines of OTLP/JSON.
fn bodies(text: &str) -> Vec<String> {
    let requests = text.lines().map(|line| serde_json::from_str::<ExportLogsServiceRequest>(line).unwrap());
    let records = requests
        .flat_map(|request| request.resource_logs)
        .flat_map(|logs| logs.scope_logs)
        .flat_map(|scope| scope.log_records);
    records
        .map(|record| match record.body.unwrap().value {
            Some(Value::StringValue(text)) => text,
            other => panic!("no text: {other:?}"),
        })
        .collect()
}

fn read(path: &Path) -> Vec<String> {
    bodies(&fs::read_to_string(path).unwrap())
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The clocks of the tests below, each with its own: seconds after `NOON`.
const NOON: u64 = 1_795_262_400; // 2026-11-21T12:00:00Z

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOON + seconds)
}

#[test]
fn blocks_become_lines_in_a_file_that_only_its_owner_reads() {
    let folder = folder("lines");
    let path = folder.join("deep/er/app.jsonl");
    let transport = FileTransport::new(settings(path.clone())).unwrap();
    send(&transport, "one");
    assert_eq!(
        transport.send(&numbered_block(2)).answer,
        Answer::Delivered { rejected_records: 0, warning: None }
    );
    assert_eq!(read(&path), ["one", "record 0", "record 1"]);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&path), mode(&folder.join("deep/er")), mode(&folder.join("deep"))),
        (0o600, 0o700, 0o700)
    );
}

#[test]
fn a_console_style_is_a_form_too() {
    let path = folder("styles").join("app.log");
    let form = Form::Lines(Style::Minimal);
    let transport = FileTransport::new(FileSettings { form, ..settings(path.clone()) }).unwrap();
    send(&transport, "line\nbreak");
    assert_eq!(fs::read_to_string(&path).unwrap(), "INFO line\\nbreak\n");
}

#[test]
fn what_is_no_regular_file_is_refused_with_the_reason() {
    let folder = folder("refused");
    let refused = |name: &str| refusal(settings(folder.join(name)));
    let expected = |name: &str, why: &str| {
        format!(
            "log file {} cannot be opened: {why}; name a regular file in a folder that this process may write to",
            folder.join(name).display()
        )
    };
    fs::write(folder.join("target"), "mine").unwrap();
    symlink(folder.join("target"), folder.join("link")).unwrap();
    assert_eq!(refused("link"), expected("link", "it is a symbolic link, which is not followed"));
    assert_eq!(fs::read_to_string(folder.join("target")).unwrap(), "mine");
    symlink(folder.join("nowhere"), folder.join("dangling")).unwrap();
    assert_eq!(refused("dangling"), expected("dangling", "it is a symbolic link, which is not followed"));
    assert!(!folder.join("nowhere").exists());
    fs::create_dir(folder.join("folder")).unwrap();
    assert_eq!(refused("folder"), expected("folder", "it is a folder"));
    let status = std::process::Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap();
    assert!(status.success());
    assert_eq!(refused("pipe"), expected("pipe", "it is not a regular file"));
    assert_eq!(refused("target/app.jsonl"), expected("target/app.jsonl", "Not a directory (os error 20)"));
    let device = refusal(settings("/dev/null".into()));
    assert!(device.starts_with("log file /dev/null cannot be opened: it is not a regular file"), "{device}");
}

#[test]
fn a_line_that_a_crash_tore_is_ended_before_the_next_block() {
    let path = folder("torn").join("app.jsonl");
    fs::write(&path, "{\"resourceLogs\":[{\"res").unwrap();
    let transport = FileTransport::new(settings(path.clone())).unwrap();
    send(&transport, "after");
    let text = fs::read_to_string(&path).unwrap();
    let (torn, rest) = text.split_once('\n').unwrap();
    assert_eq!((torn, bodies(rest)), ("{\"resourceLogs\":[{\"res", vec!["after".to_owned()]));
}

#[test]
fn a_file_that_somebody_renames_or_removes_is_replaced_before_the_next_block() {
    let folder = folder("replaced");
    let path = folder.join("logs/app.jsonl");
    let transport = FileTransport::new(settings(path.clone())).unwrap();
    send(&transport, "one");
    fs::rename(&path, folder.join("logs/app.jsonl.1")).unwrap();
    send(&transport, "two");
    assert_eq!(
        (read(&folder.join("logs/app.jsonl.1")), read(&path)),
        (vec!["one".into()], vec!["two".into()])
    );
    fs::write(folder.join("logs/new"), "").unwrap();
    fs::rename(folder.join("logs/new"), &path).unwrap();
    send(&transport, "three");
    assert_eq!(read(&path), ["three"]);
    fs::remove_dir_all(folder.join("logs")).unwrap();
    send(&transport, "four");
    assert_eq!(read(&path), ["four"]);
    fs::write(&path, "").unwrap(); // copytruncate
    send(&transport, "five");
    assert_eq!(read(&path), ["five"]);
}

#[test]
fn a_path_that_turns_into_a_link_takes_no_records_until_it_is_gone() {
    let folder = folder("turned");
    let path = folder.join("app.jsonl");
    let transport = FileTransport::new(settings(path.clone())).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(folder.join("elsewhere"), &path).unwrap();
    let cause = format!("cannot write to {}: it is a symbolic link, which is not followed", path.display());
    assert_eq!(transport.send(&numbered_block(1)).answer, Answer::Retry { after: None, cause });
    assert!(!folder.join("elsewhere").exists());
    fs::remove_file(&path).unwrap();
    send(&transport, "later");
    assert_eq!(read(&path), ["later"]);
}

#[test]
fn a_block_that_does_not_fit_any_more_starts_a_new_file() {
    static SECONDS: AtomicU64 = AtomicU64::new(0);
    let folder = folder("size");
    let path = folder.join("app.jsonl");
    let limits = FileSettings { max_bytes: Some(700), ..settings(path.clone()) };
    let transport = FileTransport::with_clock(limits, || at(SECONDS.load(Ordering::Relaxed))).unwrap();
    for number in 0..6 {
        SECONDS.store(number, Ordering::Relaxed);
        send(&transport, &number.to_string());
    }
    let complete = ["app-2026-11-21T12-00-02.000.jsonl", "app-2026-11-21T12-00-04.000.jsonl"];
    assert_eq!(names(&folder), [complete[0], complete[1], "app.jsonl"]);
    let contents: Vec<_> = names(&folder).iter().map(|name| read(&folder.join(name))).collect();
    assert_eq!(contents, [["0", "1"], ["2", "3"], ["4", "5"]]);
    assert!(complete.iter().all(|name| fs::metadata(folder.join(name)).unwrap().len() <= 700));
}

#[test]
fn a_block_larger_than_a_file_may_be_gets_a_file_of_its_own() {
    let folder = folder("large");
    let limits = FileSettings { max_bytes: Some(1), ..settings(folder.join("app")) };
    let transport = FileTransport::with_clock(limits, || at(0)).unwrap();
    for name in ["one", "two", "three"] {
        send(&transport, name);
    }
    // The clock stands still, so names are moved on by a millisecond.
    assert_eq!(names(&folder), ["app", "app-2026-11-21T12-00-00.000", "app-2026-11-21T12-00-00.001"]);
    assert_eq!(read(&folder.join("app-2026-11-21T12-00-00.001")), ["two"]);
}

#[test]
fn an_old_file_is_complete_at_the_next_block() {
    let folder = folder("age");
    let path = folder.join("app.jsonl");
    let hour = Some(Duration::from_secs(3_600));
    let transport = FileTransport::new(FileSettings { max_age: hour, ..settings(path.clone()) }).unwrap();
    send(&transport, "young");
    send(&transport, "younger");
    let later = || SystemTime::now() + Duration::from_secs(3_601);
    let restarted =
        FileTransport::with_clock(FileSettings { max_age: hour, ..settings(path.clone()) }, later).unwrap();
    send(&restarted, "old");
    assert_eq!(names(&folder).len(), 2);
    assert_eq!(read(&folder.join(&names(&folder)[0])), ["young", "younger"]);
    assert_eq!(read(&path), ["old"]);
}

#[test]
fn complete_files_are_compressed_with_what_a_crash_left_over() {
    let folder = folder("gzip");
    let path = folder.join("app.jsonl");
    let leftover = folder.join("app-2026-11-20T08-00-00.000.jsonl");
    fs::write(&leftover, "left over\n").unwrap();
    fs::write(folder.join("app-2026-11-20T08-00-00.000.jsonl.gz.tmp"), "half").unwrap();
    let limits = FileSettings { max_bytes: Some(1), compress_rotated: true, ..settings(path.clone()) };
    let transport = FileTransport::with_clock(limits, || at(0)).unwrap();
    send(&transport, "one");
    assert!(leftover.exists());
    send(&transport, "two");
    let packed = ["app-2026-11-20T08-00-00.000.jsonl.gz", "app-2026-11-21T12-00-00.000.jsonl.gz"];
    assert_eq!(names(&folder), [packed[0], packed[1], "app.jsonl"]);
    let unpack = |name: &str| {
        let mut text = String::new();
        GzDecoder::new(fs::File::open(folder.join(name)).unwrap()).read_to_string(&mut text).unwrap();
        text
    };
    assert_eq!((unpack(packed[0]).as_str(), bodies(&unpack(packed[1]))), ("left over\n", vec!["one".into()]));
    let mode = fs::metadata(folder.join(packed[1])).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn complete_files_beyond_the_count_or_the_age_are_deleted_and_no_others() {
    let folder = folder("kept");
    let path = folder.join("app.jsonl");
    let others = [
        "app-2001-01-01.jsonl",
        "app-2001-01-01T00-00-00.000.jsonl.bak",
        "app-2001-01-01T00-00-00.000.log",
        "app-web-2001-01-01T00-00-00.000.jsonl",
        "app2001-01-01T00-00-00.000.jsonl",
    ];
    let ours = ["app-2001-01-01T00-00-00.000.jsonl", "app-2026-11-21T11-00-00.000.jsonl.gz"];
    for name in others.iter().chain(&ours) {
        fs::write(folder.join(name), "x").unwrap();
    }
    let day = Some(Duration::from_secs(86_400));
    let limits = FileSettings { max_bytes: Some(1), keep_age: day, ..settings(path.clone()) };
    let transport = FileTransport::with_clock(limits.clone(), || at(0)).unwrap();
    send(&transport, "one");
    send(&transport, "two");
    let kept = |more: &[&str]| {
        let mut names: Vec<String> = others.iter().chain(more).map(|name| (*name).to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&folder), kept(&[ours[1], "app-2026-11-21T12-00-00.000.jsonl", "app.jsonl"]));
    let limits = FileSettings { keep_files: Some(1), keep_age: None, ..limits };
    let transport = FileTransport::with_clock(limits, || at(60)).unwrap();
    send(&transport, "three");
    assert_eq!(names(&folder), kept(&["app-2026-11-21T12-01-00.000.jsonl", "app.jsonl"]));
    assert_eq!(read(&path), ["three"]);
}

#[test]
fn writers_of_one_path_lose_and_tear_nothing_while_they_rotate_and_compress() {
    let folder = folder("several");
    let limits = FileSettings {
        max_bytes: Some(4_000),
        compress_rotated: true,
        fsync: Fsync::Rotation,
        ..settings(folder.join("app.jsonl"))
    };
    // flock knows open files, not processes: transports of one process exclude each other as those of several.
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let limits = limits.clone();
            std::thread::spawn(move || {
                let transport = FileTransport::new(limits).unwrap();
                (0..50).for_each(|number| send(&transport, &format!("{writer} {number}")));
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let mut found = Vec::new();
    for name in names(&folder) {
        let mut text = String::new();
        let mut file = fs::File::open(folder.join(&name)).unwrap();
        if Path::new(&name).extension().is_some_and(|extension| extension == "gz") {
            GzDecoder::new(file).read_to_string(&mut text).unwrap();
        } else {
            file.read_to_string(&mut text).unwrap();
        }
        assert!(text.len() <= 4_000, "{name} has {} bytes", text.len());
        found.extend(bodies(&text));
    }
    for writer in 0..4 {
        let own: Vec<_> =
            found.iter().filter(|body| body.starts_with(&format!("{writer} "))).cloned().collect();
        assert_eq!(own, (0..50).map(|number| format!("{writer} {number}")).collect::<Vec<_>>());
    }
    assert_eq!(found.len(), 200);
}

#[test]
fn a_lock_that_is_not_given_back_is_a_reason_to_try_later() {
    use std::os::fd::AsRawFd;
    let path = folder("locked").join("app.jsonl");
    let transport = FileTransport::new(settings(path.clone())).unwrap();
    let other = fs::File::open(&path).unwrap();
    // SAFETY: a system call on an open descriptor.
    assert_eq!(unsafe { libc::flock(other.as_raw_fd(), libc::LOCK_EX) }, 0);
    let cause = format!("cannot write to {}: another process holds its lock", path.display());
    assert_eq!(transport.send(&numbered_block(1)).answer, Answer::Retry { after: None, cause });
    drop(other);
    send(&transport, "free");
    assert_eq!(read(&path), ["free"]);
}

#[test]
fn every_way_to_force_bytes_to_the_disk_writes_the_same() {
    for (name, fsync) in [("never", Fsync::Never), ("rotation", Fsync::Rotation), ("always", Fsync::Always)] {
        let folder = folder(&format!("fsync-{name}"));
        let limits = FileSettings { fsync, max_bytes: Some(700), ..settings(folder.join("app.jsonl")) };
        let transport = FileTransport::new(limits).unwrap();
        (0..3).for_each(|number| send(&transport, &number.to_string()));
        assert!(transport.flush());
        let contents: Vec<_> = names(&folder).iter().flat_map(|name| read(&folder.join(name))).collect();
        assert_eq!(contents, ["0", "1", "2"]);
    }
}

#[test]
fn a_block_that_is_damaged_is_rejected_and_not_tried_again() {
    let path = folder("damaged").join("app.jsonl");
    let transport = FileTransport::new(settings(path.clone())).unwrap();
    let mut block = numbered_block(1);
    block.body.truncate(10);
    let answer = transport.send(&block).answer;
    assert!(
        matches!(answer, Answer::Rejected { ref cause } if cause.starts_with("the block cannot be unpacked"))
    );
    assert_eq!(read(&path), Vec::<String>::new());
}

#[test]
fn a_renamed_file_that_somebody_else_holds_locked_delays_no_block() {
    use std::os::fd::AsRawFd;
    let folder = folder("renamed-and-locked");
    let path = folder.join("app.jsonl");
    let transport = FileTransport::new(settings(path.clone())).unwrap();
    // Another process has rotated, and compresses the complete file under its lock.
    fs::rename(&path, folder.join("app-2026-11-21T12-00-00.000.jsonl")).unwrap();
    let other = fs::File::open(folder.join("app-2026-11-21T12-00-00.000.jsonl")).unwrap();
    // SAFETY: a system call on an open descriptor.
    assert_eq!(unsafe { libc::flock(other.as_raw_fd(), libc::LOCK_EX) }, 0);
    send(&transport, "one");
    assert_eq!(read(&path), ["one"]);
}

#[test]
fn one_file_that_cannot_be_compressed_or_deleted_keeps_no_other_from_it() {
    let folder = folder("bad-one");
    let path = folder.join("app.jsonl");
    // Something of that name that is no file.
    let bad = "app-2001-01-01T00-00-00.000.jsonl";
    fs::create_dir(folder.join(bad)).unwrap();
    let old = "app-2002-01-01T00-00-00.000.jsonl";
    fs::write(folder.join(old), "old\n").unwrap();
    let limits = FileSettings { max_bytes: Some(1), compress_rotated: true, ..settings(path) };
    let rotate = |limits: FileSettings, clock: fn() -> SystemTime| {
        let transport = FileTransport::with_clock(limits, clock).unwrap();
        let block = || block_of(&request(&[("scope".into(), vec![("x".into(), 9)])]), Codec::Gzip);
        transport.send(&block());
        match transport.send(&block()).answer {
            Answer::Delivered { warning: Some(warning), .. } => warning,
            other => panic!("a warning was expected: {other:?}"),
        }
    };
    let warning = rotate(limits.clone(), || at(0));
    assert!(warning.ends_with("could not be compressed: it is not a regular file"), "{warning}");
    let packed = "app-2026-11-21T12-00-00.000.jsonl.gz";
    assert_eq!(names(&folder), [bad, &format!("{old}.gz"), packed, "app.jsonl"]);
    let day = Some(Duration::from_secs(86_400));
    let warning = rotate(FileSettings { compress_rotated: false, keep_age: day, ..limits }, || at(60));
    assert!(warning.contains("could not be deleted"), "{warning}");
    assert!(!folder.join(format!("{old}.gz")).exists());
}

#[test]
fn complete_files_are_known_whatever_the_log_file_is_called() {
    for (name, complete) in [
        ("app.gz", "app-2026-11-21T12-00-00.000.gz"),
        ("app", "app-2026-11-21T12-00-00.000"),
        (".app", ".app-2026-11-21T12-00-00.000"),
    ] {
        let folder = folder(&format!("called-{name}"));
        let limits =
            FileSettings { max_bytes: Some(1), compress_rotated: true, ..settings(folder.join(name)) };
        let transport = FileTransport::with_clock(limits.clone(), || at(0)).unwrap();
        send(&transport, "one");
        send(&transport, "two");
        let mut expected = vec![format!("{complete}.gz"), name.to_owned()];
        expected.sort();
        assert_eq!(names(&folder), expected);
        let limits = FileSettings { keep_files: Some(0), ..limits };
        let transport = FileTransport::with_clock(limits, || at(60)).unwrap();
        send(&transport, "three");
        assert_eq!(names(&folder), [name]);
    }
}
