//! Channels, which hold nothing: a putter and a getter meet.

use std::rc::Rc;

use greenlet::queue::{Channel, GetError, PutError};
use greenlet::{spawn, yield_now};

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
