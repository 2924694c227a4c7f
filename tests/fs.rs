//! Files and folders.

use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::CString;
use std::fs::{OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use greenlet::fs::{self, File};
use greenlet::pool::ThreadPool;
use greenlet::{spawn, yield_now};

const FOREVER: Duration = Duration::from_secs(1000);

/// A folder of a test's own, which goes away with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("greenlet-fs-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What cannot be opened by one side alone: `open` waits for the other side.
    fn fifo(&self) -> PathBuf {
        let path = self.file("fifo");
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: a path with an end.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn what_is_written_to_a_file_is_read_from_it() {
    let folder = Folder::new("written");
    let path = folder.file("a");
    let mut file = File::create_new(&path).unwrap();
    assert_eq!(File::create_new(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    file.write_all(b"0123456789").unwrap();
    assert_eq!(file.seek(SeekFrom::Start(2)).unwrap(), 2);
    let mut bytes = [0; 3];
    file.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"234");
    assert_eq!(file.read_at(&mut bytes, 7).unwrap(), 3);
    assert_eq!(&bytes, b"789");
    assert_eq!(file.read_at(&mut bytes, u64::MAX).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(file.write_at(b"xyz", 0).unwrap(), 3);
    let mut rest = String::new();
    file.try_clone().unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "56789", "calls with a place of their own leave the position alone");
    file.set_len(4).unwrap();
    file.set_permissions(Permissions::from_mode(0o400)).unwrap();
    file.sync_all().unwrap();
    file.sync_data().unwrap();
    let known = file.metadata().unwrap();
    assert_eq!((known.len(), known.permissions().mode() & 0o777), (4, 0o400));
    let mut text = String::new();
    File::open(&path).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "xyz3");
    assert_eq!(file.into_std().unwrap().metadata().unwrap().len(), 4);
}

#[test]
fn more_than_one_call_takes_comes_through_whole() {
    let folder = Folder::new("large");
    let content: Vec<u8> = (0..5 << 20).map(|n: u32| (n % 251) as u8).collect();
    File::create(folder.file("a")).unwrap().write_all(&content).unwrap();
    let mut read = Vec::new();
    File::open(folder.file("a")).unwrap().read_to_end(&mut read).unwrap();
    assert!(read == content);
}

#[test]
fn others_run_while_a_file_keeps_one_waiting() {
    let folder = Folder::new("waiting");
    let fifo = folder.fifo();
    let reader = spawn({
        let fifo = fifo.clone();
        move || {
            let (mut file, mut text) = (File::open(fifo).unwrap(), String::new());
            file.read_to_string(&mut text).unwrap();
            text
        }
    });
    let mut writer = File::open_with(&fifo, OpenOptions::new().write(true)).unwrap();
    // The reader waits for this now, and not in the page cache.
    (0..10).for_each(|_| yield_now());
    writer.write_all(b"through").unwrap();
    drop(writer);
    assert_eq!(reader.join().unwrap(), "through");
}

#[test]
fn a_greenlet_that_waits_for_a_file_can_be_killed_and_the_file_stays_usable() {
    let folder = Folder::new("killed");
    let fifo = folder.fifo();
    let opener = spawn({
        let fifo = fifo.clone();
        move || File::open(fifo).map(drop)
    });
    while !opener.is_started() {
        yield_now();
    }
    opener.kill().unwrap();
    assert!(opener.wait(Some(FOREVER)));
    // The thread that opens goes on: its other side comes now, or it would be stuck for ever.
    drop(File::open_with(&fifo, OpenOptions::new().read(true).write(true)).unwrap());
    fs::write(folder.file("a"), "usable").unwrap();
    assert_eq!(fs::read_to_string(folder.file("a")).unwrap(), "usable");
}

/// Writes where nobody can wait.
struct Farewell(PathBuf);

impl Drop for Farewell {
    fn drop(&mut self) {
        File::create(&self.0).unwrap().write_all(b"gone").unwrap();
    }
}

#[test]
fn what_is_written_while_a_greenlet_unwinds_is_written() {
    let folder = Folder::new("unwinding");
    let farewell = Farewell(folder.file("a"));
    let task = spawn(move || {
        let _farewell = farewell;
        greenlet::sleep(FOREVER);
    });
    while !task.is_started() {
        yield_now();
    }
    task.kill().unwrap();
    assert!(task.wait(Some(FOREVER)));
    assert_eq!(fs::read(folder.file("a")).unwrap(), b"gone");
}

#[test]
fn what_is_written_as_a_thread_ends_is_written() {
    let folder = Folder::new("ending");
    let paths: Vec<_> = (0..20).map(|n| folder.file(&n.to_string())).collect();
    let farewells: Vec<_> = paths.iter().cloned().map(Farewell).collect();
    // Its tasks never get to run.
    let end = || farewells.into_iter().for_each(|farewell| drop(spawn(move || drop(farewell))));
    std::thread::spawn(end).join().unwrap();
    assert!(paths.iter().all(|path| fs::read(path).is_ok_and(|content| content == b"gone")));
}

/// What the thread holds is the position, and the system would have the whole other thread wait for that.
#[test]
fn who_needs_the_position_of_a_file_lets_others_run_while_a_thread_is_at_work_on_it() {
    let folder = Folder::new("position");
    fs::write(folder.file("a"), "0123456789").unwrap();
    let file = File::open_with(folder.file("a"), OpenOptions::new().read(true).write(true));
    let file = Rc::new(file.unwrap());
    // No thread comes to what is asked of it before the gate is open.
    let (pool, gate) = (ThreadPool::shared(), Arc::new(Mutex::new(())));
    let closed = gate.lock().unwrap();
    for _ in 0..pool.size() {
        let gate = gate.clone();
        drop(pool.spawn(move || drop(gate.lock())));
    }
    let on_file = |call: fn(&File)| {
        let file = file.clone();
        spawn(move || call(&file))
    };
    let tasks = [
        on_file(|mut file| file.write_all(b"abc").unwrap()),
        on_file(|mut file| assert_eq!(file.read(&mut [0; 2]).unwrap(), 2)),
        on_file(|mut file| assert!(file.stream_position().is_ok())),
    ];
    (0..10).for_each(|_| yield_now());
    let waiting = tasks.iter().filter(|task| task.is_started() && !task.is_finished()).count();
    drop(closed);
    assert_eq!(waiting, 3);
    assert!(greenlet::join_all(&tasks, None).iter().all(|task| task.is_successful()));
}

#[test]
fn a_folder_of_any_size_is_listed_whole() {
    let folder = Folder::new("listed");
    for n in [0, 1, 255, 256, 257, 600] {
        let path = folder.file(&n.to_string());
        std::fs::create_dir(&path).unwrap();
        let names: HashSet<_> = (0..n).map(|n| format!("{n}")).collect();
        names.iter().for_each(|name| std::fs::write(path.join(name), "").unwrap());
        let listed: Vec<_> = fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(listed.len(), n);
        assert_eq!(listed.into_iter().collect::<HashSet<_>>(), names);
    }
}

#[test]
fn a_greenlet_that_reads_what_is_cached_lets_others_run() {
    let folder = Folder::new("cached");
    fs::write(folder.file("a"), vec![7; 1 << 16]).unwrap();
    let others_ran = Rc::new(Cell::new(0_u32));
    drop(spawn({
        let others_ran = others_ran.clone();
        move || {
            loop {
                others_ran.set(others_ran.get() + 1);
                yield_now();
            }
        }
    }));
    let mut file = File::open(folder.file("a")).unwrap();
    let before = others_ran.get();
    for _ in 0..1 << 10 {
        file.read_exact(&mut [0; 64]).unwrap();
    }
    assert!(others_ran.get() > before + 5);
}

#[test]
fn the_functions_do_what_those_of_std_do() {
    let folder = Folder::new("functions");
    let file = |name: &str| folder.file(name);
    fs::create_dir_all(file("b/c/d")).unwrap();
    fs::create_dir(file("b/e")).unwrap();
    fs::write(file("one"), "1").unwrap();
    assert_eq!(fs::copy(file("one"), file("two")).unwrap(), 1);
    fs::rename(file("two"), file("three")).unwrap();
    fs::hard_link(file("three"), file("four")).unwrap();
    assert_eq!((fs::exists(file("two")).unwrap(), fs::exists(file("four")).unwrap()), (false, true));
    std::os::unix::fs::symlink(file("one"), file("link")).unwrap();
    assert_eq!(fs::read_link(file("link")).unwrap(), file("one"));
    assert_eq!(fs::canonicalize(file("b/../link")).unwrap(), Path::canonicalize(&file("one")).unwrap());
    assert!(fs::symlink_metadata(file("link")).unwrap().is_symlink());
    assert!(fs::metadata(file("link")).unwrap().is_file());
    fs::set_permissions(file("one"), Permissions::from_mode(0o400)).unwrap();
    assert!(fs::metadata(file("one")).unwrap().permissions().readonly());
    fs::remove_file(file("link")).unwrap();
    fs::remove_dir(file("b/e")).unwrap();
    assert_eq!(fs::remove_dir(file("b")).unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
    fs::remove_dir_all(file("b")).unwrap();
    assert_eq!(fs::read_to_string(file("b")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(File::open(file("b")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(fs::read_dir(file("b")).unwrap_err().kind(), ErrorKind::NotFound);
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    for line in ["a\n", "b\n"] {
        File::open_with(file("log"), &options).unwrap().write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(fs::read(file("log")).unwrap(), b"a\nb\n");
}
