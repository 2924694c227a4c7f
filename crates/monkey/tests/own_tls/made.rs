//! Which greenlets have storage of their own: by whatever function they are made.

use std::cell::Cell;
use std::rc::Rc;
use std::thread::{self, ThreadId};
use std::time::Duration;

use greenlet::net::TcpListener;
use greenlet::pool::{Group, Pool};
use greenlet::server::Server;
use greenlet::{Generator, Greenlet, spawn, spawn_later};
use greenlet_monkey::{OwnTls, Patch, own_tls};

use super::isolation::isolated;
use super::patched;

fn me() -> ThreadId {
    thread::current().id()
}

#[test]
fn those_that_are_spawned_by_whatever_function() {
    patched("made::those_that_are_spawned_by_whatever_function", || {
        let root = me();
        let options = Greenlet::builder().name("named");
        let tasks = [spawn(me), spawn_later(Duration::ZERO, me), options.spawn(me)];
        for task in tasks {
            assert_ne!(task.join().unwrap(), root);
        }
        let group = Group::new();
        assert_ne!(group.spawn(me).join().unwrap(), root);
        let pool = Pool::new(2);
        assert_ne!(pool.spawn(me).join().unwrap(), root);
        assert!(pool.map(0..5, |_| me()).unwrap().into_iter().all(|id| id != root));
    });
}

#[test]
fn those_that_serve_connections() {
    patched("made::those_that_serve_connections", || {
        let root = me();
        let seen = Rc::new(Cell::new(None));
        let note = seen.clone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(listener, move |_| note.set(Some(me()))).unwrap();
        server.start().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        while seen.get().is_none() {
            thread::yield_now();
        }
        assert_ne!(seen.get(), Some(root));
    });
}

#[test]
fn those_that_are_switched_by_hand() {
    patched("made::those_that_are_switched_by_hand", || {
        let root = me();
        Greenlet::new(move |()| assert_ne!(me(), root)).switch(());
    });
}

#[test]
fn not_generators_which_run_as_who_resumes_them() {
    patched("made::not_generators_which_run_as_who_resumes_them", || {
        let mut ids = Generator::new(|yielder, ()| yielder.yield_(me()));
        assert_eq!(ids.next(), Some(me()));
    });
}

#[test]
fn not_those_that_were_made_before_or_are_to_share() {
    isolated("made::not_those_that_were_made_before_or_are_to_share", || {
        assert!(matches!(own_tls(), OwnTls::NotAskedFor));
        let root = me();
        let before = spawn(me);
        let own = Greenlet::builder().own_tls().spawn(me);
        greenlet_monkey::patch_all().unwrap();
        assert!(own_tls().is_on());
        let sharing = Greenlet::builder().shared_tls().spawn(me);
        assert_eq!([before, sharing].map(|task| task.join().unwrap()), [root; 2]);
        assert_ne!(own.join().unwrap(), root);
    });
}

#[test]
fn none_where_calls_alone_are_to_be_taken_over() {
    isolated("made::none_where_calls_alone_are_to_be_taken_over", || {
        Patch::all().own_tls(false).apply().unwrap();
        assert!(matches!(own_tls(), OwnTls::NotAskedFor));
        assert_eq!(spawn(me).join().unwrap(), me());
        Patch::new().own_tls(true).apply().unwrap();
        assert!(own_tls().is_on());
        assert_ne!(spawn(me).join().unwrap(), me());
    });
}
