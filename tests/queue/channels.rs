//! Channels, which hold nothing: a putter and a getter meet.

use std::rc::Rc;

use greenlet::queue::{Channel, GetError, PutError};
use greenlet::{GreenThread, spawn, yield_now};

use crate::common::{Log, MS, end, repeat_until, settle};
use crate::{getter, putter};

/// gevent 60; eventlet 58.
#[test]
fn the_getter_of_a_channel_goes_on_before_its_putter() {
    for putter_first in [true, false] {
        let (channel, log) = (Rc::new(Channel::new()), Log::default());
        let put = || {
            let (channel, log) = (channel.clone(), log.clone());
            drop(spawn(move || {
                channel.put(1).unwrap();
                log.note("put");
            }));
        };
        let get = || {
            let (channel, log) = (channel.clone(), log.clone());
            drop(spawn(move || {
                channel.get().unwrap();
                log.note("got");
            }));
        };
        if putter_first {
            put();
            settle();
            get();
        } else {
            get();
            settle();
            put();
        }
        settle();
        assert_eq!(log.take(), ["got", "put"], "putter first: {putter_first}");
    }
}

/// eventlet 58.
#[test]
fn putting_into_a_channel_waits_until_the_item_is_taken() {
    let channel = Rc::new(Channel::new());
    assert!(channel.is_full() && channel.is_empty());
    assert_eq!(channel.try_put(0), Err(PutError::Full(0)));
    assert_eq!(channel.put_timeout(0, MS), Err(PutError::Full(0)));
    let putter = putter(&channel, 1);
    settle();
    assert!(!putter.is_finished());
    assert_eq!(channel.get(), Ok(1));
    putter.join().unwrap().unwrap();
    let getter = getter(&channel);
    settle();
    channel.try_put(2).unwrap();
    assert_eq!(getter.join().unwrap(), Ok(2));
}

/// eventlet 59, where it fails.
#[test]
fn trying_to_get_from_a_channel_takes_the_item_of_a_putter_who_waits() {
    let channel = Rc::new(Channel::new());
    let putters = [putter(&channel, 1), putter(&channel, 2)];
    settle();
    assert_eq!((channel.try_get(), channel.try_get()), (Ok(1), Ok(2)));
    assert_eq!(channel.try_get(), Err(GetError::Empty));
    for putter in putters {
        putter.join().unwrap().unwrap();
    }
}

#[test]
fn an_item_on_its_way_through_a_channel_outlives_both_its_putter_and_its_getter() {
    let channel = Rc::new(Channel::new());
    let getter = getter(&channel);
    settle();
    let putter = putter(&channel, "on its way");
    // Wakes the getter, and waits behind it.
    repeat_until(|| channel.getting() == 0, yield_now);
    getter.kill().unwrap();
    settle();
    assert!(getter.is_finished() && !putter.is_finished(), "nobody has taken it");
    end(&putter);
    assert_eq!(channel.get(), Ok("on its way"));
}

type Put = Result<(), PutError<u32>>;

/// A channel whose getter is killed after a putter has found it waiting, and before it runs; and that putter.
fn left_by_its_getter(
    put: impl FnOnce(&Channel<u32>) -> Put + 'static,
) -> (Rc<Channel<u32>>, GreenThread<Put>) {
    let channel = Rc::new(Channel::new());
    let get = |channel: Rc<Channel<u32>>| spawn(move || channel.get());
    let getter = get(channel.clone());
    yield_now();
    let putter = spawn({
        let channel = channel.clone();
        move || put(&channel)
    });
    let killer = spawn(move || {
        getter.kill().unwrap();
        assert!(getter.join().unwrap_err().is_killed());
    });
    killer.join().unwrap();
    (channel, putter)
}

#[test]
fn an_item_whose_getter_is_killed_is_for_the_next_one() {
    let (channel, putter) = left_by_its_getter(|channel| channel.put(7));
    settle();
    assert!(!putter.is_finished(), "nobody has taken its item");
    assert_eq!(channel.get(), Ok(7));
    assert_eq!(putter.join().unwrap(), Ok(()));
}

#[test]
fn who_hands_an_item_to_one_that_is_killed_gets_it_back_in_the_end() {
    let (channel, putter) = left_by_its_getter(|channel| channel.put(7));
    channel.shutdown();
    assert_eq!(putter.join().unwrap(), Err(PutError::ShutDown(7)));
    assert_eq!((channel.get(), channel.unfinished()), (Err(GetError::ShutDown), 0));

    let (channel, putter) = left_by_its_getter(|channel| channel.put_timeout(7, MS));
    assert_eq!(putter.join().unwrap(), Err(PutError::Full(7)));
    assert_eq!((channel.try_get(), channel.unfinished()), (Err(GetError::Empty), 0));
}
