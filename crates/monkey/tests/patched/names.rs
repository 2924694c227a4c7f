//! Name lookups.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::net::{IpAddr, ToSocketAddrs};
use std::ptr::null_mut;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};

use greenlet::pool::ThreadPool;
use greenlet::{GreenThread, spawn};
use libc::hostent;

use crate::{join, patched};

#[test]
fn names_are_looked_up_while_others_run() {
    patched(|| {
        let lookups = join((0..5).map(|_| spawn(|| ("localhost", 80).to_socket_addrs().unwrap().collect())));
        for addresses in lookups {
            let addresses: Vec<std::net::SocketAddr> = addresses;
            assert!(!addresses.is_empty() && addresses.iter().all(|address| address.ip().is_loopback()));
        }
        assert!(greenlet::pool::ThreadPool::shared().threads() > 0, "others have asked");
    });
}

#[test]
fn a_name_that_is_none_is_an_error() {
    patched(|| assert!(("no such name", 80).to_socket_addrs().is_err()));
}

#[test]
fn an_address_in_text_is_no_lookup() {
    patched(|| {
        let found = ("127.0.0.1", 80).to_socket_addrs().unwrap().next().unwrap();
        assert_eq!(found.ip(), "127.0.0.1".parse::<IpAddr>().unwrap());
    });
}

#[test]
fn an_address_that_is_none_has_no_name() {
    patched(|| {
        let addresses = [(null_mut(), 4), ([0_u8; 4].as_mut_ptr().cast(), u32::MAX)];
        for (address, len) in addresses {
            assert!(unsafe { gethostbyaddr(address, len, libc::AF_INET) }.is_null());
        }
    });
}

/// Spawns a lookup, which is not answered before `meanwhile` is done: the threads that answer are busy.
fn look_up<R: 'static>(
    lookup: impl FnOnce() -> R + 'static,
    meanwhile: impl FnOnce(&GreenThread<R>),
) -> GreenThread<R> {
    let pool = ThreadPool::shared();
    let (release, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    for _ in 0..pool.size() {
        let wait = wait.clone();
        drop(pool.spawn(move || wait.lock().unwrap().recv()));
    }
    let lookup = spawn(lookup);
    std::thread::yield_now();
    meanwhile(&lookup);
    drop(release);
    lookup
}

/// Looks up while others run, in a thread of the pool.
fn waited_for<R: 'static>(lookup: impl FnOnce() -> R + 'static) -> R {
    look_up(lookup, |lookup| assert!(!lookup.is_finished(), "another thread is asked")).join().unwrap()
}

/// The name of 127.0.0.1, by the function that takes any kind of address.
fn name_of_loopback(flags: c_int) -> (c_int, String) {
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as _;
    address.sin_addr.s_addr = u32::from(std::net::Ipv4Addr::LOCALHOST).to_be();
    address.sin_port = 80_u16.to_be();
    let (mut host, mut service) = ([0 as c_char; 100], [0 as c_char; 100]);
    let len = size_of::<libc::sockaddr_in>() as u32;
    let result = unsafe {
        let (host, service) = (host.as_mut_ptr(), service.as_mut_ptr());
        getnameinfo((&raw const address).cast(), len, host, 100, service, 100, flags)
    };
    let text = |name: &[c_char]| unsafe { CStr::from_ptr(name.as_ptr()) }.to_str().unwrap().to_owned();
    (result, format!("{} {}", text(&host), text(&service)))
}

#[test]
fn names_of_addresses_are_looked_up_while_others_run() {
    patched(|| {
        let name = waited_for(|| name_of_loopback(libc::NI_NUMERICSERV));
        assert_eq!(name, (0, "localhost 80".to_owned()));
        let by_number = || name_of_loopback(libc::NI_NUMERICHOST | libc::NI_NUMERICSERV);
        let by_number = look_up(by_number, |lookup| assert!(lookup.is_finished(), "it needs nobody"));
        assert_eq!(by_number.join().unwrap(), (0, "127.0.0.1 80".to_owned()));
    });
}

/// An entry that points to nothing that is another's.
#[derive(Debug, PartialEq)]
struct Entry {
    name: String,
    addresses: Vec<Vec<u8>>,
}

impl Entry {
    fn read(entry: *const hostent) -> Option<Self> {
        let entry = unsafe { entry.as_ref() }?;
        let name = unsafe { CStr::from_ptr(entry.h_name) }.to_str().unwrap().to_owned();
        // As aligned as the memory that it was told to be in.
        let address = |n| unsafe { entry.h_addr_list.add(n).read_unaligned().cast::<u8>().as_ref() };
        let bytes = |byte| unsafe { std::slice::from_raw_parts(byte, entry.h_length as usize) }.to_vec();
        Some(Self { name, addresses: (0..).map_while(address).map(|byte| bytes(byte)).collect() })
    }

    fn is_loopback(&self) -> bool {
        self.name.contains("localhost")
            && self.addresses.iter().all(|address| matches!(address[..], [127, 0, 0, 1] | [0, .., 1]))
            && !self.addresses.is_empty()
    }
}

/// By the functions that keep the answer.
const KEEPING: [fn() -> *const hostent; 3] = [
    || unsafe { gethostbyname(c"localhost".as_ptr()) },
    || unsafe { gethostbyname2(c"localhost".as_ptr(), libc::AF_INET) },
    || unsafe { gethostbyaddr([127_u8, 0, 0, 1].as_ptr().cast(), 4, libc::AF_INET) },
];

/// By those that write it where they are told; the error, and the entry as it is in `memory`.
type Writing = fn(&mut hostent, &mut [c_char], &mut *mut hostent, &mut c_int) -> c_int;
const WRITING: [Writing; 3] = [
    |entry, memory, found, problem| unsafe {
        gethostbyname_r(c"localhost".as_ptr(), entry, memory.as_mut_ptr(), memory.len(), found, problem)
    },
    |entry, memory, found, problem| unsafe {
        let (name, len) = (c"localhost".as_ptr(), memory.len());
        gethostbyname2_r(name, libc::AF_INET, entry, memory.as_mut_ptr(), len, found, problem)
    },
    |entry, memory, found, problem| unsafe {
        let (address, len) = ([127_u8, 0, 0, 1], memory.len());
        let memory = memory.as_mut_ptr();
        gethostbyaddr_r(address.as_ptr().cast(), 4, libc::AF_INET, entry, memory, len, found, problem)
    },
];

#[test]
fn the_older_lookups_let_others_run() {
    patched(|| {
        for (n, function) in KEEPING.into_iter().enumerate() {
            assert!(waited_for(move || Entry::read(function()).unwrap()).is_loopback(), "{n}");
        }
    });
}

#[test]
fn what_is_found_is_in_the_callers_memory() {
    patched(|| {
        for (n, function) in WRITING.into_iter().enumerate() {
            let found = waited_for(move || {
                let mut memory = vec![0; 2001];
                let (mut entry, mut found, mut problem) = (unsafe { std::mem::zeroed() }, null_mut(), 0);
                // Not aligned to anything.
                assert_eq!(function(&mut entry, &mut memory[1..], &mut found, &mut problem), 0);
                assert_eq!(found, &raw mut entry);
                let range = memory.as_mut_ptr_range();
                let first = unsafe { entry.h_addr_list.read_unaligned() };
                assert!(
                    [entry.h_name, entry.h_aliases.cast(), first].iter().all(|part| range.contains(part))
                );
                Entry::read(found).unwrap()
            });
            assert!(found.is_loopback(), "{n}");
        }
    });
}

#[test]
fn too_little_memory_is_an_error() {
    patched(|| {
        for function in WRITING {
            let (mut entry, mut found, mut problem) = (unsafe { std::mem::zeroed() }, null_mut(), 0);
            assert_eq!(function(&mut entry, &mut [0; 8], &mut found, &mut problem), libc::ERANGE);
            assert!(found.is_null());
            assert_eq!(problem, -1);
        }
    });
}

#[test]
fn a_killed_lookup_is_cancelled() {
    patched(|| {
        let seen = Rc::new(Cell::new(None));
        let told = seen.clone();
        let lookup = move || {
            let entry = unsafe { gethostbyname(c"localhost".as_ptr()) };
            told.set(Some((entry.is_null(), std::io::Error::last_os_error().raw_os_error())));
        };
        // It is gone before there are threads that could answer after all.
        drop(look_up(lookup, |lookup| assert!(lookup.kill_and_wait(None).unwrap())));
        assert_eq!(seen.get(), Some((true, Some(libc::ECANCELED))));
    });
}

unsafe extern "C" {
    fn getnameinfo(
        address: *const libc::sockaddr,
        address_len: u32,
        host: *mut c_char,
        host_len: u32,
        service: *mut c_char,
        service_len: u32,
        flags: c_int,
    ) -> c_int;
    fn gethostbyname(name: *const c_char) -> *mut hostent;
    fn gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent;
    fn gethostbyaddr(address: *const c_void, len: u32, family: c_int) -> *mut hostent;
    fn gethostbyname_r(
        name: *const c_char,
        entry: *mut hostent,
        memory: *mut c_char,
        len: usize,
        found: *mut *mut hostent,
        problem: *mut c_int,
    ) -> c_int;
    fn gethostbyname2_r(
        name: *const c_char,
        family: c_int,
        entry: *mut hostent,
        memory: *mut c_char,
        len: usize,
        found: *mut *mut hostent,
        problem: *mut c_int,
    ) -> c_int;
    fn gethostbyaddr_r(
        address: *const c_void,
        address_len: u32,
        family: c_int,
        entry: *mut hostent,
        memory: *mut c_char,
        len: usize,
        found: *mut *mut hostent,
        problem: *mut c_int,
    ) -> c_int;
}
