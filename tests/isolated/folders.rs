//! Folders that are read on threads, where something comes between.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use greenlet::fs::{self, ReadDir};
use greenlet::hub::HubHandle;
use greenlet::pool::ThreadPool;
use greenlet::{spawn, yield_now};

use crate::{is_emulated, passes};

/// More than are fetched at a time.
const FILES: usize = 300;

fn folder_of_files() -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("greenlet-folder-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    (0..FILES).for_each(|n| std::fs::write(path.join(n.to_string()), "").unwrap());
    path
}

fn count(entries: &mut ReadDir) -> usize {
    entries.map(Result::unwrap).count()
}

#[test]
fn who_is_interrupted_while_a_folder_is_read_loses_no_entry() {
    passes("folders::who_is_interrupted_while_a_folder_is_read_loses_no_entry", || {
        let path = folder_of_files();
        let entries = Rc::new(RefCell::new(fs::read_dir(&path).unwrap()));
        // The only thread has something else to do first.
        ThreadPool::shared().resize(1);
        let (sender, receiver) = mpsc::channel::<()>();
        let busy = ThreadPool::shared().spawn(move || receiver.recv());
        let reader = spawn({
            let entries = entries.clone();
            move || entries.borrow_mut().next().is_some()
        });
        yield_now();
        reader.kill().unwrap();
        drop(sender);
        assert!(busy.join().unwrap().is_err());
        assert!(reader.join().unwrap_err().is_killed(), "it waited");
        assert_eq!(count(&mut entries.borrow_mut()), FILES);
        std::fs::remove_dir_all(path).unwrap();
    });
}

/// By a thread without a hub, which reads by itself.
#[test]
#[cfg_attr(greenlet_sanitizer = "address", ignore = "its search for leaks takes a thread")]
fn a_folder_that_no_thread_reads_is_an_error_and_can_be_read_later() {
    if is_emulated() {
        return; // The emulator does not know of filters.
    }
    passes("folders::a_folder_that_no_thread_reads_is_an_error_and_can_be_read_later", || {
        let path = folder_of_files();
        drop(HubHandle::current());
        let mut entries = fs::read_dir(&path).unwrap();
        ThreadPool::shared().kill();
        let (sender, receiver) = mpsc::channel::<ReadDir>();
        let other = thread::spawn(move || count(&mut receiver.recv().unwrap()));
        crate::refusals::refuse_threads();
        assert!(entries.next().unwrap().is_err());
        sender.send(entries).unwrap();
        assert_eq!(other.join().unwrap(), FILES);
        std::fs::remove_dir_all(path).unwrap();
    });
}
