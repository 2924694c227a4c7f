//! Name lookups.

use std::net::{IpAddr, ToSocketAddrs};

use greenlet::spawn;

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
