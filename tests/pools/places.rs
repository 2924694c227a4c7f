//! Pools: groups with so many places.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenlet::pool::Pool;
use greenlet::sync::Event;
use greenlet::{GreenThread, Task, join_all, spawn, yield_now};

use crate::{MS, all_others_run, quiet, waits};

/// gevent 70.
#[test]
fn spawning_into_a_full_pool_waits_for_room_in_the_order_of_coming() {
    let (pool, order) = (Pool::new(2), Rc::new(RefCell::new(Vec::new())));
    let gates: Vec<_> = (0..2).map(|_| Rc::new(Event::new())).collect();
    let running: Vec<_> = gates.iter().map(|gate| pool.spawn(waits(gate))).collect();
    assert!(pool.is_full() && pool.free() == 0 && pool.len() == 2);
    let spawners: Vec<_> = (0..3)
        .map(|n| {
            let (pool, order) = (pool.clone(), order.clone());
            spawn(move || drop(pool.spawn(move || order.borrow_mut().push(n))))
        })
        .collect();
    all_others_run();
    assert_eq!(pool.waiting(), 3);
    assert!(order.borrow().is_empty());
    // A kill makes room like any other end.
    running[1].kill().unwrap();
    join_all(&spawners, None);
    gates[0].set();
    assert!(pool.join(None));
    assert_eq!(*order.borrow(), [0, 1, 2]);
    assert_eq!((pool.free(), pool.waiting()), (2, 0));
}

/// gevent 71.
#[test]
fn a_pool_without_places_lets_nobody_in() {
    let pool = Pool::new(0);
    let body = pool.try_spawn(|| 1).map(drop).unwrap_err();
    assert_eq!(body(), 1, "the body comes back");
    assert!(pool.spawn_timeout(MS, || 1).is_err());
    assert_eq!(pool.waiting(), 0);
    let payload = catch_unwind(AssertUnwindSafe(|| drop(pool.spawn(|| 1)))).unwrap_err();
    let report = payload.downcast_ref::<String>().unwrap();
    assert!(report.starts_with("LoopExit") && report.contains(": a place in a pool"), "{report}");
    assert!(pool.join(None), "nobody waits any more");
    let spawner = spawn({
        let pool = pool.clone();
        move || pool.spawn(|| 2).join().unwrap()
    });
    yield_now();
    pool.resize(1);
    assert_eq!(spawner.join().unwrap(), 2);
}

#[test]
fn trying_to_spawn_neither_waits_nor_overtakes() {
    let (pool, gate) = (Pool::new(1), Rc::new(Event::new()));
    let first = pool.try_spawn(waits(&gate)).unwrap_or_else(|_| unreachable!());
    let second = spawn({
        let (pool, gate) = (pool.clone(), gate.clone());
        move || drop(pool.spawn(waits(&gate)))
    });
    yield_now();
    first.kill().unwrap();
    assert!(first.wait(None));
    assert!(pool.try_spawn(|| ()).is_err(), "the place is for who has waited");
    gate.set();
    second.join().unwrap();
    assert!(pool.join(None));
    assert!(pool.try_spawn(|| ()).is_ok());
}

/// No clock can tell when that is over.
#[test]
fn the_longest_timeout_waits_for_room_as_long_as_it_takes() {
    let (pool, gate) = (Pool::new(1), Rc::new(Event::new()));
    drop(pool.spawn(waits(&gate)));
    let spawner = spawn({
        let pool = pool.clone();
        move || pool.spawn_timeout(Duration::MAX, || 1).map_err(drop).unwrap().join().unwrap()
    });
    yield_now();
    assert_eq!(pool.waiting(), 1);
    gate.set();
    assert_eq!(spawner.join().unwrap(), 1);
}

/// eventlet 1.
#[test]
fn a_pool_that_shrinks_has_fewer_than_no_places_until_members_end() {
    let (pool, gate) = (Pool::new(4), Rc::new(Event::new()));
    let members: Vec<_> = (0..4).map(|_| pool.spawn(waits(&gate))).collect();
    pool.resize(2);
    assert_eq!(pool.free(), -2);
    pool.resize(0);
    assert_eq!(pool.free(), -4);
    gate.set();
    join_all(&members, None);
    assert_eq!(pool.free(), 0);
    pool.resize(3);
    assert_eq!((pool.free(), pool.size()), (3, 3));
    pool.resize(usize::MAX);
    assert_eq!(pool.free(), isize::MAX);
}

/// eventlet 2. E3.
#[test]
fn a_pool_that_grows_lets_those_in_who_wait() {
    let (pool, gate) = (Pool::new(1), Rc::new(Event::new()));
    let holder = pool.spawn(waits(&gate));
    let spawners: Vec<_> = (0..4)
        .map(|_| {
            let (pool, gate) = (pool.clone(), gate.clone());
            spawn(move || drop(pool.spawn(waits(&gate))))
        })
        .collect();
    all_others_run();
    pool.resize(3);
    all_others_run();
    assert_eq!((pool.len(), pool.waiting(), pool.free()), (3, 2, 0));
    assert_eq!(spawners.iter().filter(|spawner| spawner.is_finished()).count(), 2);
    assert!(!holder.is_finished());
    gate.set();
    assert_eq!(join_all(&spawners, None).len(), 4);
    assert!(pool.join(None));
    assert_eq!(pool.free(), 3);
}

#[test]
fn a_task_that_two_wait_to_add_is_one_member() {
    let (pool, gate) = (Pool::new(0), Rc::new(Event::new()));
    let task: Task = spawn(waits(&gate)).clone();
    let adders = [0, 1].map(|_| {
        let (pool, task) = (pool.clone(), task.clone());
        spawn(move || pool.add(&task))
    });
    yield_now();
    assert_eq!(pool.waiting(), 2);
    pool.resize(3);
    join_all(&adders, None);
    assert_eq!((pool.len(), pool.free()), (1, 2));
    gate.set();
    assert!(pool.join(None));
    assert_eq!(pool.free(), 3);
}

/// eventlet 8. E1.
#[test]
fn a_join_ends_though_all_members_end_in_one_turn_while_a_spawner_waits() {
    for (size, count) in [(1, 2), (2, 4), (3, 9)] {
        let pool = Pool::new(size);
        let done = Rc::new(Cell::new(0));
        let spawner = spawn({
            let (pool, done) = (pool.clone(), done.clone());
            move || {
                for _ in 0..count {
                    let done = done.clone();
                    drop(pool.spawn(move || done.set(done.get() + 1)));
                }
            }
        });
        yield_now();
        assert!(pool.join(None));
        assert_eq!(done.get(), count, "those about to come were waited for");
        spawner.join().unwrap();
        assert_eq!((pool.len(), pool.free()), (0, size as isize));
    }
}

/// eventlet 9.
#[test]
fn several_who_join_a_pool_wait_for_what_members_spawn_meanwhile() {
    let (pool, done) = (Pool::new(3), Rc::new(Cell::new(0)));
    let member = {
        let (pool, done) = (pool.clone(), done.clone());
        move || {
            yield_now();
            drop(pool.spawn(move || {
                yield_now();
                done.set(done.get() + 1);
            }));
        }
    };
    drop(pool.spawn(member.clone()));
    drop(pool.spawn(member));
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let (pool, done) = (pool.clone(), done.clone());
            spawn(move || {
                assert!(pool.join(None));
                done.get()
            })
        })
        .collect();
    assert_eq!(waiters.into_iter().map(|waiter| waiter.join().unwrap()).collect::<Vec<_>>(), [2, 2, 2]);
}

/// eventlet 10. E2.
#[test]
fn a_member_that_is_killed_before_it_runs_gives_its_place_back() {
    let pool = Pool::new(1);
    for _ in 0..3 {
        pool.spawn(|| unreachable!("it never runs")).kill().unwrap();
        assert_eq!(pool.free(), 1);
    }
    assert_eq!(pool.apply(|| 1).unwrap(), 1);
}

/// eventlet 11.
#[test]
fn a_spawner_that_is_killed_while_it_waits_leaves_the_counts_right() {
    let (pool, gate) = (Pool::new(1), Rc::new(Event::new()));
    let holder = pool.spawn(waits(&gate));
    let spawners: Vec<_> = (0..3)
        .map(|_| {
            let pool = pool.clone();
            spawn(move || drop(pool.spawn(|| ())))
        })
        .collect();
    yield_now();
    // One while it waits; one when it has been given the place and has not run yet.
    spawners[0].kill().unwrap();
    all_others_run();
    assert_eq!(pool.waiting(), 2);
    gate.set();
    yield_now();
    assert!(holder.is_finished() && !spawners[1].is_finished());
    spawners[1].kill().unwrap();
    join_all(&spawners, None);
    assert!(spawners[1].error().unwrap().is_killed() && spawners[2].error().is_none());
    assert!(pool.join(None));
    assert_eq!((pool.free(), pool.waiting(), pool.len()), (1, 0, 0));
}

/// eventlet 12.
#[test]
fn a_member_that_panics_gives_its_place_back() {
    quiet();
    let pool = Pool::new(1);
    for _ in 0..3 {
        drop(pool.spawn(|| panic!("out")));
    }
    assert!(pool.join(None));
    assert_eq!(pool.free(), 1);
}

/// eventlet 3, 4, 5. gevent 75.
#[test]
fn a_member_that_spawns_into_its_full_pool_gives_its_own_place() {
    quiet();
    let pool = Pool::new(1);
    let member = pool.spawn({
        let pool = pool.clone();
        move || {
            let inner = pool.spawn(|| {
                yield_now();
                Task::current().unwrap().id()
            });
            assert!(inner.is_finished(), "it has run");
            assert_ne!(inner.join().unwrap(), Task::current().unwrap().id(), "in a task of its own");
            // Its failure is its own.
            let bad = pool.spawn(|| -> () { panic!("inner") });
            assert_eq!(bad.join().unwrap_err().message(), Some("inner"));
            assert_eq!(pool.apply(|| 7).unwrap(), 7);
            pool.len()
        }
    });
    assert_eq!(member.join().unwrap(), 1);
    assert!(pool.join(None));
    assert_eq!(pool.free(), 1);
}

/// eventlet 6. E5.
#[test]
fn a_task_outside_of_a_full_pool_that_a_member_waits_for_can_spawn_into_it() {
    let pool = Pool::new(1);
    let member = pool.spawn({
        let pool = pool.clone();
        move || {
            let helper = spawn(move || spawn(move || pool.apply(|| 42).unwrap()).join().unwrap());
            helper.join().unwrap()
        }
    });
    assert_eq!(member.join().unwrap(), 42);
    assert!(pool.join(None));
}

#[test]
fn a_crawl_that_spawns_from_its_members_ends_and_keeps_to_the_size() {
    fn visit(pool: &Pool, depth: u32, counts: &Rc<[Cell<usize>; 3]>) {
        let [running, most, visited] = &**counts;
        visited.set(visited.get() + 1);
        running.set(running.get() + 1);
        most.set(most.get().max(running.get()));
        yield_now();
        running.set(running.get() - 1);
        if depth > 0 {
            for _ in 0..3 {
                let (inner, counts) = (pool.clone(), counts.clone());
                drop(pool.spawn(move || visit(&inner, depth - 1, &counts)));
            }
        }
    }
    let pool = Pool::new(4);
    let counts: Rc<[Cell<usize>; 3]> = Rc::default();
    drop(pool.spawn({
        let (pool, counts) = (pool.clone(), counts.clone());
        move || visit(&pool, 5, &counts)
    }));
    assert!(pool.join(None));
    assert_eq!(counts[2].get(), 1 + 3 + 9 + 27 + 81 + 243);
    assert!(counts[1].get() <= 4, "{} at once", counts[1].get());
}

#[test]
fn pools_that_are_dropped_are_forgotten_by_what_their_members_spawned() {
    fn descend(depth: u32) -> Option<GreenThread<()>> {
        (depth > 0).then(|| Pool::new(1).spawn(move || drop(descend(depth - 1))))
    }
    // Each level has a pool of its own: what is inherited does not grow with the depth.
    descend(1000).unwrap().join().unwrap();
    all_others_run();
}

#[test]
fn a_pool_is_waited_for_as_long_as_somebody_waits_for_a_place_in_it() {
    let pool = Pool::new(0);
    let spawner = spawn({
        let pool = pool.clone();
        move || drop(pool.spawn(|| ()))
    });
    yield_now();
    assert!(!pool.join(Some(MS)));
    let joiner = spawn({
        let pool = pool.clone();
        move || pool.join(None)
    });
    yield_now();
    spawner.kill().unwrap();
    assert!(joiner.join().unwrap());
}

#[test]
fn a_member_that_was_let_go_ends_without_the_place_of_the_one_who_came_after_it() {
    let (pool, gates) = (Pool::new(1), [(); 2].map(|()| Rc::new(Event::new())));
    let first = pool.spawn(waits(&gates[0]));
    assert!(pool.discard(&first));
    let second = pool.spawn(waits(&gates[1]));
    gates[0].set();
    first.join().unwrap();
    assert!(pool.contains(&second) && pool.is_full());
    gates[1].set();
    second.join().unwrap();
    assert_eq!((pool.len(), pool.free()), (0, 1));
}
