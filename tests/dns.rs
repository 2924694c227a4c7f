//! Names and addresses. Numbers are those of the statements and of the bugs in the studies of gevent and
//! eventlet that the scheduler is held to: "gevent 104", "G10".
//!
//! Nothing here needs a network: the system answers for the machine itself.

use std::cell::Cell;
#[cfg(target_os = "linux")]
use std::net::SocketAddr;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use greenlet::net::TcpListener;
#[cfg(target_os = "linux")]
use greenlet::net::ToSocketAddrs;
use greenlet::pool::ThreadPool;
use greenlet::{TimeoutError, dns, spawn, with_timeout, yield_now};

#[test]
fn a_name_has_addresses_and_an_address_a_name() {
    let addresses = dns::lookup("localhost").unwrap();
    assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
    let name = dns::reverse(Ipv4Addr::LOCALHOST.into()).unwrap();
    assert!(name.contains("localhost"), "{name}");
}

#[test]
fn what_does_not_resolve_is_named_in_the_error() {
    let error = dns::lookup("no such name").unwrap_err();
    assert!(error.to_string().starts_with("no such name: "), "{error}");
    // Set apart for documentation, so nobody has it.
    let error = dns::reverse(IpAddr::from([192, 0, 2, 1])).unwrap_err();
    assert!(error.to_string().starts_with("192.0.2.1: "), "{error}");
}

/// An address of a link is one of many such, unless it says of which.
#[cfg(target_os = "linux")]
#[test]
fn an_address_keeps_the_network_that_its_name_says() {
    let expected = std::net::ToSocketAddrs::to_socket_addrs(&("fe80::1%lo", 80)).unwrap();
    let found = ("fe80::1%lo", 80).to_socket_addrs().unwrap();
    assert_eq!(found, expected.collect::<Vec<_>>());
    assert!(matches!(found[..], [SocketAddr::V6(address)] if address.scope_id() != 0), "{found:?}");
    assert_eq!(dns::lookup("fe80::1%lo").unwrap(), ["fe80::1".parse::<IpAddr>().unwrap()]);
}

// gevent 104
#[test]
fn others_run_during_a_lookup() {
    let ticks = Rc::new(Cell::new(0));
    let ticker = spawn({
        let ticks = ticks.clone();
        move || loop {
            ticks.set(ticks.get() + 1);
            yield_now();
        }
    });
    // A thread may have answered before anybody waits for it, but not each time.
    (0..1000).take_while(|_| ticks.get() == 0).for_each(|_| drop(dns::lookup("localhost").unwrap()));
    assert!(ticks.get() > 0);
    ticker.kill().unwrap();
}

/// Keeps all threads of the shared pool busy, until dropped.
struct Busy {
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Busy {
    fn new() -> Self {
        let gate: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        for _ in 0..64 {
            let gate = gate.clone();
            let wait = move || {
                let (open, changed) = &*gate;
                drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
            };
            drop(spawn(move || ThreadPool::shared().run(wait)));
        }
        yield_now();
        Self { gate }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }
}

// G10
#[test]
fn literal_addresses_wait_for_nobody_and_a_lookup_that_takes_too_long_can_be_timed_out() {
    let busy = Busy::new();
    let late = with_timeout(Duration::from_millis(5), || dns::lookup("localhost"));
    assert_eq!(late.unwrap_err(), TimeoutError::Elapsed);
    let waiting = spawn(|| dns::lookup("localhost").unwrap());
    yield_now();
    assert_eq!(dns::lookup("192.0.2.7").unwrap(), [IpAddr::from([192, 0, 2, 7])]);
    assert_eq!(dns::lookup("[2001:db8::1]").unwrap().len(), 1);
    TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(!waiting.is_finished());
    drop(busy);
    assert!(!waiting.join().unwrap().is_empty());
}

#[test]
fn a_destructor_that_would_look_up_gets_an_error() {
    struct Last(Rc<Cell<bool>>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.set(dns::lookup("localhost").is_err() && dns::lookup("127.0.0.1").is_ok());
        }
    }
    let refused = Rc::new(Cell::new(false));
    let task = spawn({
        let last = Last(refused.clone());
        move || {
            let _last = last;
            greenlet::sleep(Duration::from_secs(1000));
        }
    });
    yield_now();
    task.kill().unwrap();
    task.wait(None);
    assert!(refused.get());
}
