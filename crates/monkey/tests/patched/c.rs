//! A shared library written in C, which is looked up at run time.

use std::ffi::{CString, c_int, c_void};
use std::io::{Read, Write};
use std::mem::transmute;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use greenlet::spawn;

use crate::inside::Inside;
use crate::{join, patched};

/// A function of the library, or `None` where there is no C compiler to build it.
fn function(name: &str) -> Option<*mut c_void> {
    static LIBRARY: OnceLock<Option<usize>> = OnceLock::new();
    let library = (*LIBRARY.get_or_init(|| build().map(|library| library.expose_provenance())))?;
    let name = CString::new(name).unwrap();
    let library = std::ptr::with_exposed_provenance_mut(library);
    let function = unsafe { libc::dlsym(library, name.as_ptr()) };
    assert!(!function.is_null());
    Some(function)
}

fn build() -> Option<*mut c_void> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/patched/c.c");
    let target = std::env::temp_dir().join(format!("greenlet-monkey-{}.so", std::process::id()));
    let mut compile = Command::new("cc");
    compile.args(["-O2", "-D_FORTIFY_SOURCE=2", "-shared", "-fPIC", "-o"]).arg(&target).arg(&source);
    if !compile.status().is_ok_and(|status| status.success()) || cfg!(not(target_arch = "x86_64")) {
        eprintln!("skipped: there is no C compiler");
        return None;
    }
    let name = CString::new(target.to_str().unwrap()).unwrap();
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    assert!(!library.is_null(), "the library can be loaded");
    std::fs::remove_file(target).unwrap();
    Some(library)
}

#[test]
fn fifty_clients_in_c_are_served() {
    let Some(ask) = function("ask") else { return };
    let ask: extern "C" fn(c_int, c_int) -> c_int = unsafe { transmute(ask) };
    patched(move || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let clients: Vec<_> = (0..50).map(|n| spawn(move || ask(port.into(), n))).collect();
        // All ask before one is answered.
        let mut asked: Vec<_> = listener.incoming().take(50).map(Result::unwrap).collect();
        for connection in &mut asked {
            let mut number = [0; 4];
            connection.read_exact(&mut number).unwrap();
            connection.write_all(&(i32::from_ne_bytes(number) * 2).to_ne_bytes()).unwrap();
        }
        assert!(join(clients).into_iter().eq((0..50).map(|n| n * 2)));
    });
}

#[test]
fn c_sleeps_by_turns() {
    let Some(rest) = function("rest") else { return };
    let rest: extern "C" fn(c_int) -> c_int = unsafe { transmute(rest) };
    let most = patched(move || {
        let inside = Inside::default();
        let results = join((0..20).map(|_| {
            let inside = inside.clone();
            spawn(move || {
                inside.enter();
                let result = rest(5);
                inside.leave();
                result
            })
        }));
        assert_eq!(results, [0; 20]);
        inside.most()
    });
    assert_eq!(most, 20);
}

#[test]
fn the_checking_variants_wait_as_well() {
    let Some(read) = function("read_checked") else { return };
    let read: extern "C" fn(c_int, c_int) -> c_int = unsafe { transmute(read) };
    patched(move || {
        let (a, mut b) = UnixStream::pair().unwrap();
        let reading = spawn(move || read(a.as_raw_fd(), 4));
        for _ in 0..3 {
            std::thread::yield_now();
            b.write_all(b"abcd").unwrap();
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(reading.join().unwrap(), 12);
    });
}

#[test]
fn what_a_child_of_vfork_does_with_its_descriptors_concerns_nobody_else() {
    let Some(run) = function("run_with") else { return };
    let run: extern "C" fn(c_int, c_int, c_int) -> c_int = unsafe { transmute(run) };
    patched(move || {
        let [(mut reader, mut writer), (other, _open), (input, mut line)] =
            std::array::from_fn(|_| std::io::pipe().unwrap());
        let waited_for = reader.as_raw_fd();
        let reading = spawn(move || {
            let mut byte = [0];
            reader.read_exact(&mut byte).unwrap();
            byte
        });
        std::thread::yield_now();
        let running = spawn(move || run(input.as_raw_fd(), waited_for, other.as_raw_fd()));
        std::thread::yield_now();
        assert!(!reading.is_finished() && !running.is_finished());
        line.write_all(b"\n").unwrap();
        assert_eq!(running.join().unwrap(), 7);
        writer.write_all(b"x").unwrap();
        assert_eq!(reading.join().unwrap(), *b"x");
    });
}

#[test]
fn a_thread_that_blocks_in_libc_can_be_cancelled() {
    let Some(cancel) = function("cancel_a_reader") else { return };
    let cancel: extern "C" fn(c_int) -> c_int = unsafe { transmute(cancel) };
    patched(move || {
        let (reader, _writer) = std::io::pipe().unwrap();
        assert_eq!(cancel(reader.as_raw_fd()), 1);
    });
}

#[test]
fn the_checking_variant_of_ppoll_waits_as_well() {
    let Some(poll) = function("poll_checked") else { return };
    let poll: extern "C" fn(c_int) -> c_int = unsafe { transmute(poll) };
    patched(move || {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let polling = spawn(move || poll(reader.as_raw_fd()));
        std::thread::yield_now();
        assert!(!polling.is_finished());
        writer.write_all(b"x").unwrap();
        assert_eq!(polling.join().unwrap(), libc::POLLIN.into());
    });
}
