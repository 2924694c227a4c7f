//! Groups, pools, piles, and pools of threads.
//!
//! Numbers such as `gevent 70`, `eventlet 8` or `E1` are those of the lists of the originals'
//! behaviours, and of their bugs, which this crate is held against.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenlet::pool::{Group, Pile, Pool, ThreadPool};
use greenlet::sync::Event;
use greenlet::{
    GreenThread, Task, TaskError, iwait, join_all, set_report_hook, sleep, spawn, spawn_later, with_timeout,
    yield_now,
};

const MS: Duration = Duration::from_millis(1);
const FOREVER: Duration = Duration::from_secs(1000);

/// Failures are expected here.
fn quiet() {
    set_report_hook(|_| ());
}

/// A body that waits for an event.
fn waits(event: &Rc<Event>) -> impl FnOnce() + 'static {
    let event = event.clone();
    move || event.wait()
}

fn all_others_run() {
    (0..10).for_each(|_| yield_now());
}

fn texts(results: impl Iterator<Item = Result<i32, TaskError>>) -> Vec<String> {
    results.map(|result| result.map_or_else(|error| error.to_string(), |n| n.to_string())).collect()
}

/// A function for `map` of which one call fails.
fn fails_at(bad: i32) -> impl Fn(i32) -> i32 + 'static {
    move |n| {
        assert!(n != bad, "number {n}");
        n
    }
}

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

/// gevent 72. eventlet 14, 17.
#[test]
fn imap_gives_results_in_the_order_of_the_items_and_errors_in_their_places() {
    quiet();
    let pool = Pool::new(3);
    let slow_first = |n: i32| {
        (0..5 - n).for_each(|_| yield_now());
        fails_at(1)(n)
    };
    assert_eq!(texts(pool.imap(0..5, slow_first)), ["0", "the task panicked: number 1", "2", "3", "4"]);
    assert_eq!(texts(Group::new().imap(0..5, fails_at(4)))[..4], ["0", "1", "2", "3"]);
    assert_eq!(texts(pool.imap([], fails_at(0))), [""; 0]);
}

/// gevent 72.
#[test]
fn imap_unordered_gives_results_in_the_order_of_the_ends() {
    quiet();
    let gates: Vec<_> = (0..4).map(|_| Rc::new(Event::new())).collect();
    let f = {
        let gates = gates.clone();
        move |n: i32| {
            gates[n as usize].wait();
            fails_at(1)(n)
        }
    };
    let mut results = Pool::new(4).imap_unordered(0..4, f);
    let mut order = Vec::new();
    for n in [2, 1, 3, 0] {
        gates[n].set();
        order.extend(texts(results.by_ref().take(1)));
    }
    assert_eq!(order, ["2", "the task panicked: number 1", "3", "0"]);
    assert!(results.next().is_none() && results.next().is_none());
    assert_eq!(texts(Group::new().imap_unordered(0..3, fails_at(9))), ["0", "1", "2"]);
}

/// eventlet 15. gevent 74.
#[test]
fn maps_are_never_ahead_of_their_consumer_by_more_than_the_size_of_the_pool() {
    for unordered in [false, true] {
        let (pool, pulled, alive) = (Pool::new(3), Rc::new(Cell::new(0)), Rc::new(()));
        let items = {
            let pulled = pulled.clone();
            (0..100).inspect(move |_| pulled.set(pulled.get() + 1))
        };
        let f = {
            let alive = alive.clone();
            move |_| alive.clone()
        };
        let mut results: Box<dyn Iterator<Item = Result<Rc<()>, TaskError>>> = match unordered {
            false => Box::new(pool.imap(items, f)),
            true => Box::new(pool.imap_unordered(items, f)),
        };
        assert_eq!(pulled.get(), 0);
        for taken in 1..20 {
            drop(results.next().unwrap().unwrap());
            all_others_run();
            assert!(pulled.get() <= taken + 3, "{} pulled, {taken} taken", pulled.get());
            // `f` and the test hold one each.
            assert!(Rc::strong_count(&alive) <= 2 + 3);
        }
        assert_eq!(results.count(), 100 - 19);
    }
}

/// eventlet 16. E4, second half.
#[test]
fn a_map_runs_in_the_pool_that_it_was_asked_of() {
    let (pool, most) = (Pool::new(2), Rc::new(Cell::new(0)));
    let f = {
        let (pool, most) = (pool.clone(), most.clone());
        move |_| {
            most.set(most.get().max(pool.len()));
            yield_now();
        }
    };
    let other = {
        let (pool, f) = (pool.clone(), f.clone());
        spawn(move || pool.map(0..20, f).unwrap())
    };
    pool.map(0..20, f).unwrap();
    other.join().unwrap();
    assert_eq!(most.get(), 2, "two maps share the places");
    let mut results = pool.imap([1, 2], |_| sleep(FOREVER));
    assert!(with_timeout(MS, || results.next()).is_err());
    assert!(!pool.join(Some(MS)), "and a join waits for them");
    drop(results);
    assert!(pool.join(None));
}

/// eventlet 18. gevent 73. E4, first half.
#[test]
fn a_source_that_panics_does_so_to_the_consumer_and_only_once() {
    for unordered in [false, true] {
        let items = (0..5).inspect(|n| assert!(*n < 2, "the source is dry"));
        let pool = Pool::new(3);
        let mut results: Box<dyn Iterator<Item = Result<i32, TaskError>>> = match unordered {
            false => Box::new(pool.imap(items, |n| n)),
            true => Box::new(pool.imap_unordered(items, |n| n)),
        };
        let payload = catch_unwind(AssertUnwindSafe(|| results.next())).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"the source is dry"));
        assert_eq!(texts(results), ["0", "1"], "those that were taken come after that, and the end");
        assert!(pool.join(None));
    }
}

/// eventlet 19.
#[test]
fn a_map_that_is_dropped_half_way_kills_what_is_running() {
    for unordered in [false, true] {
        let (pool, unwound) = (Pool::new(2), Rc::new(()));
        let f = {
            let unwound = unwound.clone();
            move |n: u32| {
                let _held = unwound.clone();
                if n > 0 {
                    sleep(FOREVER);
                }
            }
        };
        let mut results: Box<dyn Iterator<Item = Result<(), TaskError>>> = match unordered {
            false => Box::new(pool.imap(0.., f)),
            true => Box::new(pool.imap_unordered(0.., f)),
        };
        results.next().unwrap().unwrap();
        drop(results);
        assert!(pool.join(None));
        assert_eq!(Rc::strong_count(&unwound), 1);
    }
}

#[test]
fn map_returns_the_values_or_the_first_error() {
    quiet();
    let pool = Pool::new(2);
    assert_eq!(pool.map(0..5, |n| n * n).unwrap(), [0, 1, 4, 9, 16]);
    assert_eq!(pool.map(0..5, fails_at(2)).unwrap_err().message(), Some("number 2"));
    assert_eq!(Group::new().map(["a", "bc"], str::len).unwrap(), [1, 2]);
    assert!(pool.join(None));
}

#[test]
fn a_consumer_that_is_interrupted_can_go_on() {
    let gate = Rc::new(Event::new());
    let mut results = Pool::new(2).imap(0..4, {
        let gate = gate.clone();
        move |n| {
            gate.wait();
            n
        }
    });
    assert!(with_timeout(MS, || results.next()).is_err());
    gate.set();
    assert_eq!(texts(results), ["0", "1", "2", "3"], "nothing was lost");
}

#[test]
fn a_map_whose_pool_is_full_of_others_waits_for_them() {
    let (pool, gate) = (Pool::new(1), Rc::new(Event::new()));
    let holder = pool.spawn(waits(&gate));
    let mapper = spawn({
        let pool = pool.clone();
        move || pool.map([1, 2], |n| n).unwrap()
    });
    all_others_run();
    assert!(!mapper.is_finished());
    gate.set();
    assert_eq!(mapper.join().unwrap(), [1, 2]);
    holder.join().unwrap();
}

/// eventlet 20.
#[test]
fn a_pile_gives_results_in_the_order_of_spawning_and_errors_in_their_places() {
    quiet();
    let pile = Pile::of_size(4);
    assert!(Pile::<()>::of_size(4).next().is_none(), "an empty one ends at once");
    for n in 0..4 {
        pile.spawn(move || {
            (0..4 - n).for_each(|_| yield_now());
            fails_at(1)(n)
        });
    }
    assert_eq!(texts(&pile), ["0", "the task panicked: number 1", "2", "3"]);
    pile.spawn(|| 4);
    assert_eq!((pile.len(), texts(pile)), (1, vec!["4".into()]));
}

/// eventlet 20.
#[test]
fn a_pile_on_a_full_pool_waits_and_counts_only_what_it_spawned() {
    let (pool, gate) = (Pool::new(1), Rc::new(Event::new()));
    let pile = Rc::new(Pile::new(&pool));
    let holder = pool.spawn(waits(&gate));
    let spawner = spawn({
        let pile = pile.clone();
        move || pile.spawn(|| 1)
    });
    yield_now();
    assert!(!spawner.is_finished() && pile.is_empty());
    spawner.kill().unwrap();
    spawner.join().unwrap_err();
    assert!(pile.next().is_none(), "what was not spawned is not waited for");
    gate.set();
    holder.join().unwrap();
    pile.spawn(|| 2);
    assert_eq!(pile.next().unwrap().unwrap(), 2);
}

/// eventlet 21.
#[test]
fn a_pile_may_be_emptied_by_another_task_than_the_one_that_fills_it() {
    let pile = Rc::new(Pile::of_size(2));
    let taken = Rc::new(RefCell::new(Vec::new()));
    let taker = {
        let (pile, taken) = (pile.clone(), taken.clone());
        move || {
            while let Some(result) = pile.next() {
                taken.borrow_mut().push(result.unwrap());
            }
        }
    };
    for n in 0..6 {
        pile.spawn(move || {
            yield_now();
            n
        });
    }
    let interrupted = spawn(taker.clone());
    yield_now();
    interrupted.kill().unwrap();
    spawn(taker).join().unwrap();
    interrupted.join().unwrap_err();
    assert_eq!(*taken.borrow(), [0, 1, 2, 3, 4, 5], "who was killed took nothing along");
}

#[test]
fn blocking_functions_run_on_a_pool_while_others_go_on() {
    let pool = ThreadPool::new(8);
    let caller = std::thread::current().id();
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let pool = pool.clone();
            spawn(move || pool.run(move || (n, std::thread::current().id())).unwrap())
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        let (answer, thread) = task.join().unwrap();
        assert_eq!(answer, n);
        assert_ne!(thread, caller);
    }
}

/// gevent 77.
#[test]
fn a_panic_on_a_thread_comes_to_who_wants_the_result() {
    let pool = ThreadPool::new(1);
    let payload = catch_unwind(AssertUnwindSafe(|| pool.run(|| panic!("over there")))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"over there"));
    let job = pool.spawn(|| -> () { panic!("over there") });
    assert_eq!(job.join().unwrap_err().message(), Some("over there"));
    assert_eq!(pool.map([3, 1, 2], |n| n + 1).unwrap(), [4, 2, 3]);
    let error = pool.map([3, 1, 2], |n| assert!(n != 1, "one")).unwrap_err();
    assert_eq!(error.message(), Some("one"));
}

/// gevent 77.
#[test]
fn a_thread_of_a_pool_runs_what_it_gives_to_that_pool_itself() {
    let pool = ThreadPool::new(1);
    let inner = pool.clone();
    let (outer_thread, inner_thread) = pool
        .run(move || {
            let job = inner.spawn(|| std::thread::current().id());
            assert!(job.is_finished());
            (std::thread::current().id(), inner.run(move || job.join().unwrap()).unwrap())
        })
        .unwrap();
    assert_eq!(outer_thread, inner_thread);
}

#[test]
fn a_job_begins_before_anybody_waits_for_it_and_can_be_asked() {
    let pool = ThreadPool::new(1);
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let (begin, has_begun) = std::sync::mpsc::channel();
    let job = pool.spawn(move || {
        begin.send(()).unwrap();
        may_go.recv().unwrap();
        5
    });
    // This blocks the whole thread, hub included.
    has_begun.recv().unwrap();
    assert!(!job.is_finished() && !job.wait(Some(MS)));
    let queued = pool.spawn(|| 6);
    go.send(()).unwrap();
    assert_eq!(job.join().unwrap(), 5);
    assert_eq!(queued.join().unwrap(), 6);
    assert_eq!(pool.threads(), 1);
}

#[test]
fn several_may_wait_for_one_job() {
    let pool = ThreadPool::new(1);
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let job = Rc::new(pool.spawn(move || may_go.recv().unwrap()));
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let job = job.clone();
            spawn(move || job.wait(None))
        })
        .collect();
    yield_now();
    waiters[1].kill().unwrap();
    go.send(()).unwrap();
    join_all(&waiters, None);
    assert!(job.is_finished());
    Rc::into_inner(job).unwrap().join().unwrap();
}

/// eventlet 89. E16.
#[test]
fn a_pool_answers_the_hub_that_asked() {
    let pool = ThreadPool::new(2);
    assert_eq!(pool.run(|| 1).unwrap(), 1);
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let pool = pool.clone();
            std::thread::spawn(move || {
                let tasks: Vec<_> = (0..10)
                    .map(|k| {
                        let pool = pool.clone();
                        spawn(move || pool.run(move || n * 10 + k).unwrap())
                    })
                    .collect();
                tasks.into_iter().map(|task| task.join().unwrap()).sum::<i32>()
            })
        })
        .collect();
    let sum: i32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, (0..40).sum());
    // A job may be waited for where it was not spawned.
    let job = pool.spawn(|| 7);
    assert_eq!(std::thread::spawn(move || job.join().unwrap()).join().unwrap(), 7);
}

/// gevent 78, the part about sizes.
#[test]
fn a_thread_pool_grows_and_shrinks() {
    let pool = ThreadPool::new(1);
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let may_go = std::sync::Arc::new(std::sync::Mutex::new(may_go));
    let jobs: Vec<_> = (0..4)
        .map(|_| {
            let may_go = may_go.clone();
            pool.spawn(move || may_go.lock().unwrap().recv().unwrap())
        })
        .collect();
    assert_eq!((pool.size(), pool.threads()), (1, 1));
    pool.resize(3);
    assert_eq!((pool.size(), pool.threads()), (3, 3), "jobs were waiting");
    pool.resize(1);
    (0..4).for_each(|_| go.send(()).unwrap());
    jobs.into_iter().for_each(|job| job.join().unwrap());
    while pool.threads() > 1 {
        yield_now();
    }
    assert_eq!(pool.run(|| 1).unwrap(), 1);
}

#[test]
fn a_thread_pool_that_is_killed_drops_what_queues_and_begins_anew() {
    let pool = ThreadPool::new(1);
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let (begin, has_begun) = std::sync::mpsc::channel();
    let running = pool.spawn(move || {
        begin.send(()).unwrap();
        may_go.recv().unwrap();
        1
    });
    has_begun.recv().unwrap();
    let queued = pool.spawn(|| 2);
    let waiter = spawn(move || queued.join());
    yield_now();
    pool.kill();
    assert!(waiter.join().unwrap().unwrap_err().is_killed());
    assert_eq!(pool.run(|| 3).unwrap(), 3, "on another thread, while the old one works on");
    go.send(()).unwrap();
    assert_eq!(running.join().unwrap(), 1);
}

#[test]
fn a_pool_keeps_its_worker_when_an_unwanted_answer_panics_as_it_is_dropped() {
    struct Angry;
    impl Drop for Angry {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("angry"));
        }
    }
    let pool = ThreadPool::new(1);
    let (go, may_go) = std::sync::mpsc::channel::<()>();
    let asker = spawn({
        let pool = pool.clone();
        move || {
            pool.run(move || {
                may_go.recv().unwrap();
                Angry
            })
            .unwrap();
        }
    });
    yield_now();
    asker.kill().unwrap();
    asker.join().unwrap_err();
    go.send(()).unwrap();
    assert_eq!(pool.run(|| 1).unwrap(), 1);
}
