//! What greenlets share with other OS threads. What it has in common with other ways to wait is in
//! `waiting/`.
//!
//! Numbers are those of the statements about gevent and eventlet that a test is for.

mod common;

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use greenlet::threads::{
    AsyncResult, Event, Receiver, RecvError, RecvTimeoutError, SendError, Sender, TryRecvError, TrySendError,
    channel, sync_channel,
};
use greenlet::{GreenThread, join_all, sleep, spawn, with_timeout, yield_now};

use common::{FOREVER, MS, end, repeat_until, settle};

const fn is_shared<T: Send + Sync>() {}
const _: () = {
    is_shared::<Event>();
    is_shared::<AsyncResult<String>>();
    is_shared::<Sender<std::cell::Cell<u8>>>();
    is_shared::<Receiver<std::cell::Cell<u8>>>();
};

/// Runs `body` on a thread that has a hub, and returns what it returns.
fn on_a_hub<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::spawn(|| {
        yield_now();
        body()
    })
}

/// gevent 56; eventlet 88; do-not-repeat E17, G12.
#[test]
fn an_event_that_a_thread_sets_wakes_greenlets_of_every_hub_and_threads_without_one() {
    let (event, ready) = (Arc::new(Event::new()), Arc::new(AtomicUsize::new(0)));
    let wait = {
        let (event, ready) = (event.clone(), ready.clone());
        move || {
            ready.fetch_add(1, Ordering::SeqCst);
            event.wait();
        }
    };
    let hubs: Vec<_> = (0..2)
        .map(|_| {
            let wait = wait.clone();
            on_a_hub(move || {
                let tasks: Vec<_> = (0..10).map(|_| spawn(wait.clone())).collect();
                join_all(&tasks, Some(FOREVER)).len()
            })
        })
        .collect();
    let plain = thread::spawn(wait);
    let setter = thread::spawn({
        let (event, ready) = (event.clone(), ready.clone());
        move || {
            while ready.load(Ordering::SeqCst) < 21 {
                thread::yield_now();
            }
            event.set();
        }
    });
    hubs.into_iter().for_each(|hub| assert_eq!(hub.join().unwrap(), 10));
    plain.join().unwrap();
    setter.join().unwrap();
    assert!(event.is_set());
    event.clear();
    assert!(!event.is_set() && !event.wait_timeout(MS));
}

#[test]
fn an_event_that_is_set_and_cleared_at_once_wakes_everybody_who_waited() {
    let event = Rc::new(Event::new());
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let event = event.clone();
            spawn(move || event.wait_timeout(FOREVER))
        })
        .collect();
    settle();
    event.set();
    event.clear();
    assert!(tasks.into_iter().all(|task| task.join().unwrap()));
}

#[test]
fn while_a_greenlet_waits_for_a_thread_the_others_go_on() {
    let (event, turns) = (Arc::new(Event::new()), Arc::new(AtomicUsize::new(0)));
    let worker = spawn({
        let turns = turns.clone();
        move || {
            loop {
                turns.fetch_add(1, Ordering::SeqCst);
                sleep(MS);
            }
        }
    });
    let setter = thread::spawn({
        let (event, turns) = (event.clone(), turns.clone());
        move || {
            while turns.load(Ordering::SeqCst) < 4 {
                thread::yield_now();
            }
            event.set();
        }
    });
    event.wait();
    assert!(turns.load(Ordering::SeqCst) >= 4);
    setter.join().unwrap();
    end(&worker);
}

/// do-not-repeat G4; gevent 53, 54.
#[test]
fn a_result_from_a_thread_is_set_once_and_everybody_sees_it() {
    let answer = AsyncResult::new();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let answer = answer.clone();
            on_a_hub(move || spawn(move || *answer.get().unwrap()).join().unwrap())
        })
        .collect();
    let plain = thread::spawn({
        let answer = answer.clone();
        move || *answer.get().unwrap()
    });
    assert!(answer.try_get().is_none() && answer.get_timeout(MS).is_none() && !answer.wait_timeout(MS));
    let winners: usize = (0..4)
        .map(|n| {
            let answer = answer.clone();
            thread::spawn(move || usize::from(answer.set(n).is_ok()))
        })
        .map(|setter| setter.join().unwrap())
        .sum();
    assert_eq!(winners, 1);
    let seen: HashSet<i32> =
        readers.into_iter().chain([plain]).map(|reader| reader.join().unwrap()).collect();
    assert_eq!(seen, HashSet::from([*answer.value().unwrap()]));
    assert_eq!(answer.set_error("late").unwrap_err().to_string(), "late");
    assert!(answer.is_ready() && answer.is_successful() && answer.error().is_none());
    assert_eq!(answer.into_inner().unwrap().unwrap(), 0);

    let failed = AsyncResult::<u8>::new();
    let other = failed.clone();
    thread::spawn(move || other.set_error("broken").unwrap()).join().unwrap();
    assert_eq!(failed.get().unwrap_err().to_string(), "broken");
    assert_eq!(failed.set(1), Err(1));
}

/// do-not-repeat E16.
#[test]
fn items_go_from_many_threads_to_greenlets_of_many_hubs_and_each_arrives_once() {
    const SENDERS: usize = 4;
    const ITEMS: usize = 200;
    for bound in [0, 1, 10, usize::MAX] {
        let (sender, receiver) = sync_channel(bound);
        let senders: Vec<_> = (0..SENDERS)
            .map(|n| {
                let sender = sender.clone();
                let send = move || (0..ITEMS).for_each(|item| sender.send(n * ITEMS + item).unwrap());
                if n % 2 == 0 { thread::spawn(send) } else { on_a_hub(send) }
            })
            .collect();
        drop(sender);
        let receivers: Vec<_> = (0..3)
            .map(|n| {
                let receiver = receiver.clone();
                let receive = move || receiver.iter().collect::<Vec<usize>>();
                match n {
                    0 => thread::spawn(receive),
                    _ => on_a_hub(move || {
                        let tasks: Vec<_> = (0..3).map(|_| spawn(receive.clone())).collect();
                        tasks.into_iter().flat_map(|task| task.join().unwrap()).collect()
                    }),
                }
            })
            .collect();
        drop(receiver);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        let mut got: Vec<usize> =
            receivers.into_iter().flat_map(|receiver| receiver.join().unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, (0..SENDERS * ITEMS).collect::<Vec<_>>(), "bound {bound}");
    }
}

#[test]
fn items_of_one_sender_arrive_in_their_order() {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || (0..1000).for_each(|n| sender.send(n).unwrap()));
    assert!(receiver.into_iter().eq(0..1000));
    thread.join().unwrap();
}

#[test]
fn a_channel_says_what_keeps_it_from_sending_or_receiving() {
    let (sender, receiver) = sync_channel(1);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(receiver.recv_timeout(MS), Err(RecvTimeoutError::Timeout));
    sender.send(1).unwrap();
    assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    assert_eq!(sender.send_timeout(2, MS), Err(TrySendError::Full(2)));
    let other = sender.clone();
    drop(sender);
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [1]);
    drop(other);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(receiver.recv_timeout(MS), Err(RecvTimeoutError::Disconnected));
    assert_eq!(receiver.recv(), Err(RecvError));

    let (sender, receiver) = sync_channel(1);
    let other = receiver.clone();
    drop(receiver);
    sender.send(1).unwrap();
    drop(other);
    assert_eq!(sender.send(2), Err(SendError(2)));
    assert_eq!(sender.try_send(2), Err(TrySendError::Disconnected(2)));
    assert_eq!(sender.send_timeout(2, MS), Err(TrySendError::Disconnected(2)));
}

#[test]
fn with_a_bound_of_zero_sending_waits_for_the_item_to_be_received() {
    let (sender, receiver) = sync_channel(0);
    assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(sender.send_timeout(1, MS), Err(TrySendError::Full(1)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "it was taken back");
    let sending = spawn({
        let sender = sender.clone();
        move || sender.send(2)
    });
    settle();
    assert!(!sending.is_finished());
    assert_eq!(receiver.try_recv(), Ok(2));
    sending.join().unwrap().unwrap();

    let receiving = spawn({
        let receiver = receiver.clone();
        move || receiver.recv()
    });
    settle();
    sender.try_send(3).unwrap();
    assert_eq!(sender.try_send(4), Err(TrySendError::Full(4)), "one receiver, one item");
    assert_eq!(receiving.join().unwrap(), Ok(3));

    let killed = spawn({
        let sender = sender.clone();
        move || sender.send(5)
    });
    settle();
    end(&killed);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "it was taken back");

    let left = spawn(move || sender.send(6));
    settle();
    drop(receiver);
    assert_eq!(left.join().unwrap(), Err(SendError(6)));
}

#[test]
fn those_who_wait_are_told_when_the_other_side_goes() {
    let (sender, receiver) = channel::<u8>();
    let greenlet = spawn({
        let receiver = receiver.clone();
        move || receiver.recv()
    });
    let plain = thread::spawn(move || receiver.recv());
    settle();
    let thread = thread::spawn(move || drop(sender));
    assert_eq!(greenlet.join().unwrap(), Err(RecvError));
    assert_eq!(plain.join().unwrap(), Err(RecvError));
    thread.join().unwrap();

    let (sender, receiver) = sync_channel(1);
    sender.send(Arc::new(1)).unwrap();
    let item = Arc::new(2);
    let waiting = spawn({
        let item = item.clone();
        move || sender.send(item).unwrap_err().0
    });
    settle();
    drop(receiver);
    assert!(Arc::ptr_eq(&waiting.join().unwrap(), &item));
}

#[test]
fn what_nobody_will_receive_is_dropped_with_the_last_receiver() {
    let (item, (sender, receiver)) = (Arc::new(()), channel());
    sender.send(item.clone()).unwrap();
    drop(receiver);
    assert_eq!(Arc::strong_count(&item), 1);
    drop(sender);
}

#[test]
fn a_wait_for_a_thread_can_be_killed_and_timed_out() {
    let (event, (sender, receiver)) = (Arc::new(Event::new()), sync_channel::<u8>(1));
    assert!(with_timeout(MS, || event.wait()).is_err());
    assert!(with_timeout(MS, || receiver.recv()).is_err());
    let killed: [GreenThread<()>; 2] = [
        spawn({
            let event = event.clone();
            move || event.wait()
        }),
        spawn({
            let receiver = receiver.clone();
            move || {
                let _ = receiver.recv();
            }
        }),
    ];
    settle();
    killed.iter().for_each(end);
    sender.send(1).unwrap();
    assert_eq!(receiver.recv(), Ok(1));
}

#[test]
fn a_wake_that_comes_as_its_hub_ends_harms_nobody() {
    let event = Arc::new(Event::new());
    let (tell, told) = std::sync::mpsc::channel();
    let hub = on_a_hub({
        let event = event.clone();
        move || {
            drop(spawn(move || event.wait()));
            settle();
            tell.send(()).unwrap();
        }
    });
    told.recv().unwrap();
    event.set();
    hub.join().unwrap();
    event.set();
}

#[test]
fn a_thread_without_a_hub_may_be_unparked_by_anybody_and_waits_on() {
    let (event, (tell, told)) = (Arc::new(Event::new()), std::sync::mpsc::channel());
    let waiter = thread::spawn({
        let event = event.clone();
        move || {
            tell.send(thread::current()).unwrap();
            event.wait();
            event.is_set()
        }
    });
    let thread = told.recv().unwrap();
    for _ in 0..100 {
        thread.unpark();
        thread::yield_now();
    }
    event.set();
    assert!(waiter.join().unwrap());
    let limit = Duration::from_millis(2);
    assert!(!thread::spawn(move || Event::new().wait_timeout(limit)).join().unwrap());
}

/// A wake is lost if the one who waits looks before it comes and sleeps after it has come.
#[test]
fn no_wake_is_lost_between_looking_and_sleeping() {
    let (there, back) = (channel(), channel());
    let echo = thread::spawn(move || there.1.iter().for_each(|n: u32| back.0.send(n).unwrap()));
    let (to, from) = (there.0, back.1);
    // A second hub and a plain thread, in turns with this one.
    let middle = sync_channel(0);
    let relay = on_a_hub(move || middle.1.iter().for_each(|n: u32| to.send(n).unwrap()));
    for n in 0..500 {
        middle.0.send(n).unwrap();
        assert_eq!(from.recv(), Ok(n));
    }
    drop(middle.0);
    relay.join().unwrap();
    echo.join().unwrap();
}

#[test]
fn a_loop_over_a_channel_that_is_always_ready_lets_others_run() {
    let (sender, receiver) = channel();
    let stop = Rc::new(Cell::new(false));
    drop(spawn({
        let stop = stop.clone();
        move || stop.set(true)
    }));
    let pass = || {
        sender.send(1).unwrap();
        receiver.recv().unwrap();
    };
    repeat_until(|| stop.get(), pass);
}

#[test]
fn a_channel_without_room_keeps_nothing_that_its_receiver_did_not_live_to_receive() {
    type Item = Arc<()>;
    let item = Item::default();
    let send_to_a_dying_one = |send: fn(&Sender<Item>, Item) -> bool| {
        let (sender, receiver) = sync_channel(0);
        let receiver = spawn(move || receiver.recv());
        yield_now();
        let sending = spawn({
            let (sender, item) = (sender.clone(), item.clone());
            move || send(&sender, item)
        });
        // Before it runs to receive what it is woken for.
        let killer = spawn(move || receiver.kill().unwrap());
        let sent = sending.join().unwrap();
        killer.join().unwrap();
        settle();
        assert_eq!(Arc::strong_count(&item), 1, "the channel, which has a sender, keeps it");
        drop(sender);
        sent
    };
    assert!(!send_to_a_dying_one(|sender, item| sender.send(item).is_ok()));
    assert!(send_to_a_dying_one(|sender, item| sender.try_send(item).is_ok()));
}

/// Both wait at the same place in their hub's list, one after the other.
#[test]
fn a_wake_that_comes_too_late_is_not_taken_for_another_ones() {
    let (first, second) = (Arc::new(Event::new()), Arc::new(Event::new()));
    let waits_for = |event: &Arc<Event>| {
        let event = event.clone();
        spawn(move || {
            event.wait();
            event.is_set()
        })
    };
    let early = waits_for(&first);
    yield_now();
    // All in one round: the hub sees to what was posted when it is over.
    drop(spawn(move || thread::spawn(move || first.set()).join().unwrap()));
    early.kill().unwrap();
    let late = waits_for(&second);
    settle();
    assert!(early.is_finished() && !late.is_finished());
    second.set();
    assert!(late.join().unwrap());
}

#[test]
fn what_a_killed_receiver_was_woken_for_is_the_next_ones() {
    let (sender, receiver) = channel();
    let [first, second] = [(); 2].map(|()| {
        let receiver = receiver.clone();
        spawn(move || receiver.recv())
    });
    yield_now();
    sender.send(1).unwrap();
    first.kill().unwrap();
    assert!(second.wait(Some(FOREVER)), "there is an item");
    assert_eq!(second.join().unwrap(), Ok(1));
}

#[test]
fn the_room_that_a_killed_sender_was_woken_for_is_the_next_ones() {
    let (sender, receiver) = sync_channel(1);
    sender.send(0).unwrap();
    let [first, second] = [1, 2].map(|item| {
        let sender = sender.clone();
        spawn(move || sender.send(item))
    });
    yield_now();
    assert_eq!(receiver.recv(), Ok(0));
    first.kill().unwrap();
    assert!(second.wait(Some(FOREVER)), "there is room");
    assert_eq!(receiver.recv(), Ok(2));
}
