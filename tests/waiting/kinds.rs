//! What the tests go through.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use greenlet::queue::{Channel, LifoQueue, PriorityQueue, Queue, QueueOf, Select, Storage};
use greenlet::spawn;
use greenlet::sync::{BoundedSemaphore, Condvar, Event, Mutex, RLock, RwLock, Semaphore};
use greenlet::threads::sync_channel;

use crate::common::settle;

/// Waits, for as long as there is a timeout, and calls the function while it has what it waited for.
type AnyWait = Rc<dyn Fn(Option<Duration>, &dyn Fn()) -> bool>;

/// What runs before anybody else does.
type Then = Box<dyn FnOnce()>;

/// Gives one waiter what it waits for.
type AnyGive = Rc<dyn Fn(Then)>;

/// One way to wait.
pub struct Kind {
    pub name: &'static str,
    /// Whether what is got goes to the next one when its holder is through with it.
    pub goes_on: bool,
    /// Whether nobody can take what a waiter was woken for.
    pub is_strict: bool,
    /// Whether somebody else can have what a waiter was woken for. Not so if it was woken because its
    /// item had been taken.
    pub can_be_passed_on: bool,
    /// Whether other threads may give it.
    pub is_of_threads: bool,
    /// Waits, for as long as there is a timeout, and calls the function while it has what it waited
    /// for. Whether it got it.
    pub wait: AnyWait,
    /// Gives one waiter what it waits for, if anybody waits, and calls the function before anybody else
    /// runs.
    pub give: AnyGive,
    /// Whether it can be had without waiting. If so it is taken.
    pub can_be_had: Rc<dyn Fn() -> bool>,
}

type Wait<T> = fn(&T, Option<Duration>, &dyn Fn()) -> bool;

/// How something is given.
enum Give<T> {
    By(fn(&T)),
    /// By a holder, who holds it while the function runs.
    LettingGo(fn(&T, &dyn Fn())),
}

fn kind<T: 'static>(
    name: &'static str,
    thing: T,
    wait: Wait<T>,
    give: Give<T>,
    take: fn(&T) -> bool,
) -> Kind {
    let thing = Rc::new(thing);
    Kind {
        name,
        goes_on: false,
        is_strict: true,
        can_be_passed_on: true,
        is_of_threads: false,
        wait: Rc::new({
            let thing = thing.clone();
            move |timeout, then| wait(&thing, timeout, then)
        }),
        give: match give {
            Give::By(give) => Rc::new({
                let thing = thing.clone();
                move |then| {
                    give(&thing);
                    then();
                }
            }),
            Give::LettingGo(hold) => letting_go(thing.clone(), hold),
        },
        can_be_had: Rc::new(move || take(&thing)),
    }
}

fn letting_go<T: 'static>(thing: Rc<T>, hold: fn(&T, &dyn Fn())) -> AnyGive {
    let let_go = Rc::new(Event::new());
    let after: Rc<Cell<Option<Then>>> = Rc::default();
    drop(spawn({
        let (let_go, after) = (let_go.clone(), after.clone());
        move || {
            hold(&thing, &|| let_go.wait());
            after.take().into_iter().for_each(|after| after());
        }
    }));
    settle();
    Rc::new(move |then| {
        after.set(Some(then));
        let_go.set();
        settle();
    })
}

pub fn kinds() -> Vec<Kind> {
    let locks = [semaphore(), bounded_semaphore(), mutex(), rlock(), writing(), reading()];
    let locks = locks.map(|kind| Kind { goes_on: true, ..kind });
    let strict = [
        getting("a queue", Queue::unbounded()),
        getting("a stack", LifoQueue::unbounded()),
        getting("a priority queue", PriorityQueue::unbounded()),
        getting("a channel", Channel::new()),
        putting("room in a queue", full(Queue::bounded(1))),
        putting("room in a stack", full(LifoQueue::bounded(1))),
        putting("room in a priority queue", full(PriorityQueue::bounded(1))),
        choosing_to_get("a choice of queues", Queue::unbounded(), Queue::unbounded()),
        choosing_to_get("a choice of channels", Channel::new(), Channel::new()),
        choosing_to_put("a choice of full queues", full(Queue::bounded(1)), full(Queue::bounded(1))),
    ];
    let meeting = [
        putting("a getter", Channel::new()),
        choosing_to_put("a choice of getters", Channel::new(), Channel::new()),
    ];
    let meeting = meeting.map(|kind| Kind { can_be_passed_on: false, ..kind });
    let of_threads = [receiving("a channel of threads", usize::MAX), sending(), receiving("a sender", 0)];
    let of_threads = of_threads.map(|kind| Kind { is_strict: false, is_of_threads: true, ..kind });
    let condition = [Kind { is_strict: false, ..condvar() }];
    locks.into_iter().chain(strict).chain(meeting).chain(condition).chain(of_threads).collect()
}

fn semaphore() -> Kind {
    let wait: Wait<Semaphore> = |semaphore, timeout, then| {
        let permit = match timeout {
            None => Some(semaphore.acquire()),
            Some(timeout) => semaphore.acquire_timeout(timeout),
        };
        permit.map(|_permit| then()).is_some()
    };
    let take: fn(&Semaphore) -> bool = |semaphore| semaphore.try_acquire().is_some();
    kind("a semaphore", Semaphore::new(0), wait, Give::By(|semaphore| semaphore.release(1)), take)
}

fn bounded_semaphore() -> Kind {
    let semaphore = BoundedSemaphore::new(1);
    semaphore.acquire().forget();
    let wait: Wait<BoundedSemaphore> = |semaphore, timeout, then| {
        let permit = match timeout {
            None => Some(semaphore.acquire()),
            Some(timeout) => semaphore.acquire_timeout(timeout),
        };
        permit.map(|_permit| then()).is_some()
    };
    let give: fn(&BoundedSemaphore) = |semaphore| semaphore.release(1).unwrap();
    kind("a bounded semaphore", semaphore, wait, Give::By(give), |semaphore| {
        semaphore.try_acquire().is_some()
    })
}

fn mutex() -> Kind {
    let wait: Wait<Mutex<()>> = |mutex, timeout, then| {
        let guard = match timeout {
            None => Some(mutex.lock()),
            Some(timeout) => mutex.lock_timeout(timeout),
        };
        guard.map(|_guard| then()).is_some()
    };
    let hold: fn(&Mutex<()>, &dyn Fn()) = |mutex, wait| {
        let _guard = mutex.lock();
        wait();
    };
    kind("a mutex", Mutex::new(()), wait, Give::LettingGo(hold), |mutex| mutex.try_lock().is_some())
}

fn rlock() -> Kind {
    let wait: Wait<RLock> = |lock, timeout, then| {
        let outer = match timeout {
            None => Some(lock.acquire()),
            Some(timeout) => lock.acquire_timeout(timeout),
        };
        let twice = || {
            let _inner = lock.acquire();
            then();
        };
        outer.map(|_outer| twice()).is_some()
    };
    let hold: fn(&RLock, &dyn Fn()) = |lock, wait| {
        let (_outer, _inner) = (lock.acquire(), lock.acquire());
        wait();
    };
    kind("an RLock", RLock::new(), wait, Give::LettingGo(hold), |lock| lock.try_acquire().is_some())
}

fn writing() -> Kind {
    let wait: Wait<RwLock<()>> = |lock, timeout, then| {
        let guard = match timeout {
            None => Some(lock.write()),
            Some(timeout) => lock.write_timeout(timeout),
        };
        guard.map(|_guard| then()).is_some()
    };
    let hold: fn(&RwLock<()>, &dyn Fn()) = |lock, wait| {
        let _guard = lock.read();
        wait();
    };
    kind("writing", RwLock::new(()), wait, Give::LettingGo(hold), |lock| lock.try_write().is_some())
}

fn reading() -> Kind {
    let wait: Wait<RwLock<()>> = |lock, timeout, then| {
        let guard = match timeout {
            None => Some(lock.read()),
            Some(timeout) => lock.read_timeout(timeout),
        };
        guard.map(|_guard| then()).is_some()
    };
    let hold: fn(&RwLock<()>, &dyn Fn()) = |lock, wait| {
        let _guard = lock.write();
        wait();
    };
    kind("reading", RwLock::new(()), wait, Give::LettingGo(hold), |lock| lock.try_write().is_some())
}

fn condvar() -> Kind {
    type Shared = (Mutex<u32>, Condvar);
    let wait: Wait<Shared> = |(given, changed), timeout, then| {
        let nothing = |given: &mut u32| *given == 0;
        let (mut given, timed_out) = match timeout {
            None => (changed.wait_while(given.lock(), nothing), false),
            Some(timeout) => {
                let (given, result) = changed.wait_timeout_while(given.lock(), timeout, nothing);
                (given, result.timed_out())
            }
        };
        if !timed_out {
            *given -= 1;
            drop(given);
            then();
        }
        !timed_out
    };
    let give: fn(&Shared) = |(given, changed)| {
        *given.try_lock().unwrap() += 1;
        changed.notify_one();
    };
    let take: fn(&Shared) -> bool = |(given, _)| *given.try_lock().unwrap() > 0;
    kind("a condition", (Mutex::new(0), Condvar::new()), wait, Give::By(give), take)
}

fn full<S: Storage<Item = u32>>(queue: QueueOf<S>) -> QueueOf<S> {
    queue.try_put(0).unwrap();
    queue
}

fn getting<S: Storage<Item = u32> + 'static>(name: &'static str, queue: QueueOf<S>) -> Kind {
    let wait: Wait<QueueOf<S>> = |queue, timeout, then| {
        let got = match timeout {
            None => queue.get(),
            Some(timeout) => queue.get_timeout(timeout),
        };
        got.map(|_| then()).is_ok()
    };
    let give: fn(&QueueOf<S>) = |queue| {
        let _ = queue.try_put(0);
    };
    kind(name, queue, wait, Give::By(give), |queue| queue.try_get().is_ok())
}

fn putting<S: Storage<Item = u32> + 'static>(name: &'static str, queue: QueueOf<S>) -> Kind {
    let wait: Wait<QueueOf<S>> = |queue, timeout, then| {
        let put = match timeout {
            None => queue.put(1),
            Some(timeout) => queue.put_timeout(1, timeout),
        };
        put.map(|()| then()).is_ok()
    };
    let give: fn(&QueueOf<S>) = |queue| {
        let _ = queue.try_get();
    };
    kind(name, queue, wait, Give::By(give), |queue| queue.try_put(1).is_ok())
}

type Pair<S> = (QueueOf<S>, QueueOf<S>);

fn choosing_to_get<S: Storage<Item = u32> + 'static>(
    name: &'static str,
    one: QueueOf<S>,
    other: QueueOf<S>,
) -> Kind {
    let wait: Wait<Pair<S>> = |(one, other), timeout, then| {
        let select = Select::new().get(one, |got| got.unwrap()).get(other, |got| got.unwrap());
        let got = match timeout {
            None => Some(select.wait()),
            Some(timeout) => select.wait_timeout(timeout),
        };
        got.map(|_| then()).is_some()
    };
    let give: fn(&Pair<S>) = |(_, other)| {
        let _ = other.try_put(0);
    };
    kind(name, (one, other), wait, Give::By(give), |(_, other)| other.try_get().is_ok())
}

fn choosing_to_put<S: Storage<Item = u32> + 'static>(
    name: &'static str,
    one: QueueOf<S>,
    other: QueueOf<S>,
) -> Kind {
    let wait: Wait<Pair<S>> = |(one, other), timeout, then| {
        let (mut item, mut item_too) = (Some(1), Some(2));
        let select = Select::new()
            .put(one, &mut item, |put| put.unwrap())
            .put(other, &mut item_too, |put| put.unwrap());
        let put = match timeout {
            None => {
                select.wait();
                Some(())
            }
            Some(timeout) => select.wait_timeout(timeout),
        };
        assert_eq!(item, Some(1), "nobody has taken it");
        assert_eq!(item_too.is_none(), put.is_some());
        put.map(|()| then()).is_some()
    };
    let give: fn(&Pair<S>) = |(_, other)| {
        let _ = other.try_get();
    };
    kind(name, (one, other), wait, Give::By(give), |(_, other)| other.try_put(1).is_ok())
}

fn receiving(name: &'static str, bound: usize) -> Kind {
    type Ends = (greenlet::threads::Sender<u32>, greenlet::threads::Receiver<u32>);
    let wait: Wait<Ends> = |(_, receiver), timeout, then| {
        let received = match timeout {
            None => receiver.recv().ok(),
            Some(timeout) => receiver.recv_timeout(timeout).ok(),
        };
        received.map(|_| then()).is_some()
    };
    let give: fn(&Ends) = |(sender, _)| {
        let _ = sender.try_send(0);
    };
    kind(name, sync_channel(bound), wait, Give::By(give), |(_, receiver)| receiver.try_recv().is_ok())
}

fn sending() -> Kind {
    type Ends = (greenlet::threads::Sender<u32>, greenlet::threads::Receiver<u32>);
    let (sender, receiver) = sync_channel(1);
    sender.try_send(0).unwrap();
    let wait: Wait<Ends> = |(sender, _), timeout, then| {
        let sent = match timeout {
            None => sender.send(1).is_ok(),
            Some(timeout) => sender.send_timeout(1, timeout).is_ok(),
        };
        sent.then(then).is_some()
    };
    let give: fn(&Ends) = |(_, receiver)| {
        let _ = receiver.try_recv();
    };
    kind("room in a channel of threads", (sender, receiver), wait, Give::By(give), |(sender, _)| {
        sender.try_send(1).is_ok()
    })
}
