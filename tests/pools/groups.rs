//! Groups: tasks that are joined and killed together.

use std::cell::Cell;
use std::panic::catch_unwind;
use std::rc::Rc;

use greenlet::pool::{Group, Pool};
use greenlet::sync::Event;
use greenlet::{iwait, sleep, spawn, spawn_later, yield_now};

use crate::{FOREVER, MS, fails_at, quiet, waits};

#[test]
fn a_group_has_its_members_until_they_end() {
    quiet();
    let (group, gate) = (Group::new(), Rc::new(Event::new()));
    let members = [group.spawn(waits(&gate)), group.spawn(|| panic!("out")), group.spawn(waits(&gate))];
    assert_eq!(group.len(), 3);
    yield_now();
    assert_eq!(group.len(), 2, "the one that panicked is gone");
    assert!(group.contains(&members[0]) && !group.contains(&members[1]));
    assert_eq!(group.members(), [(*members[0]).clone(), (*members[2]).clone()]);
    gate.set();
    assert!(group.join(None));
    assert!(group.is_empty() && members.iter().all(|member| member.is_finished()));
    assert!(group.join(None), "nobody is left");
}

#[test]
fn a_group_takes_tasks_in_and_lets_them_go() {
    let (group, gate) = (Group::new(), Rc::new(Event::new()));
    let (inside, outside, ended) = (spawn(waits(&gate)), spawn(waits(&gate)), spawn(|| ()));
    assert!(ended.wait(None));
    for task in [&inside, &outside, &ended] {
        group.add(task);
    }
    assert_eq!(group.len(), 2, "who has ended does not become a member");
    assert!(group.discard(&outside));
    assert!(!group.discard(&outside));
    group.kill();
    assert!(group.join(None));
    assert!(inside.error().unwrap().is_killed());
    assert!(!outside.is_finished());
    gate.set();
    outside.join().unwrap();
}

#[test]
fn a_join_of_a_group_has_a_time_limit() {
    let group = Group::new();
    let member = group.spawn(|| sleep(FOREVER));
    assert!(!group.join(Some(MS)));
    group.kill();
    assert!(group.join(Some(FOREVER)));
    assert!(member.error().unwrap().is_killed());
}

/// gevent 30.
#[test]
fn a_group_kills_a_member_once() {
    let group = Group::new();
    let stubborn = group.spawn(|| {
        let exits = (0..3).filter(|_| catch_unwind(|| sleep(2 * MS)).is_err()).count();
        assert_eq!(exits, 1);
    });
    yield_now();
    for _ in 0..3 {
        group.kill();
        yield_now();
    }
    assert!(group.join(None));
    stubborn.join().unwrap();
}

#[test]
fn a_group_kills_members_that_have_not_run() {
    let group = Group::new();
    let ran = Rc::new(Cell::new(false));
    let members: Vec<_> = (0..3)
        .map(|_| {
            let ran = ran.clone();
            group.spawn(move || ran.set(true))
        })
        .collect();
    let later = spawn_later(FOREVER, || ());
    group.add(&later);
    group.kill();
    assert!(group.is_empty() && group.join(None));
    assert!(members.iter().all(|member| member.is_finished()) && later.is_finished());
    assert!(!ran.get());
}

/// eventlet 7, for both kinds.
#[test]
fn a_member_that_waits_for_all_members_is_told() {
    quiet();
    let pool = Pool::new(2);
    let member = pool.spawn({
        let pool = pool.clone();
        move || pool.join(None)
    });
    let error = member.join().unwrap_err();
    assert!(error.message().unwrap().contains("cannot wait for the end of all members"));
}

/// gevent 76: `raise_error` is a search for a member that failed, or a `map`.
#[test]
fn a_member_that_fails_is_found() {
    quiet();
    let group = Group::new();
    drop(group.spawn(|| ()));
    let failing = group.spawn(|| panic!("number 1"));
    drop(group.spawn(|| sleep(FOREVER)));
    let failed = iwait(group.members()).find(|member| !member.is_successful());
    assert_eq!(failed, Some((*failing).clone()));
    assert_eq!(group.len(), 1, "the others go on");
    assert_eq!(failing.join().unwrap_err().message(), Some("number 1"));
    group.kill();
    let error = group.map(0..3, fails_at(1)).unwrap_err();
    assert_eq!(error.message(), Some("number 1"));
}
