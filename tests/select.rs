//! A choice between several queues. What it has in common with other ways to wait is in `waiting/`.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenlet::hub::{Waitable, Watched};
use greenlet::queue::{Channel, GetError, PriorityQueue, PutError, Queue, Select};
use greenlet::sync::{AsyncResult, Event};
use greenlet::{TimeoutError, join_all, sleep, spawn, wait, with_timeout, yield_now};

use common::{FOREVER, MS, end, repeat_until, settle};

#[derive(Debug, PartialEq)]
enum Heard {
    Number(Result<u32, GetError>),
    Word(Result<&'static str, GetError>),
    Sent(Result<(), PutError<u32>>),
}

#[test]
fn what_is_ready_happens_at_once_and_nothing_else() {
    let (numbers, words) = (Queue::unbounded(), Queue::unbounded());
    words.put("hello").unwrap();
    let mut item = Some(1);
    let full = Queue::bounded(1);
    full.put(0).unwrap();
    let heard = Select::new()
        .get(&numbers, Heard::Number)
        .get(&words, Heard::Word)
        .put(&full, &mut item, Heard::Sent)
        .wait();
    assert_eq!(heard, Heard::Word(Ok("hello")));
    assert_eq!(item, Some(1));

    let sent = Select::new().get(&words, Heard::Word).put(&numbers, &mut item, Heard::Sent).wait();
    assert_eq!((sent, item, numbers.get()), (Heard::Sent(Ok(())), None, Ok(1)));
}

#[test]
fn without_waiting_or_after_a_timeout_nothing_has_happened() {
    let (queue, channel) = (Queue::<u32>::unbounded(), Channel::new());
    let mut item = Some(1);
    let mut choose = |how: fn(Select<'_, Heard>) -> Option<Heard>| {
        let select = Select::new().get(&queue, Heard::Number).put(&channel, &mut item, Heard::Sent);
        how(select)
    };
    assert_eq!(choose(|select| select.try_wait()), None);
    assert_eq!(choose(|select| select.wait_timeout(Duration::ZERO)), None);
    assert_eq!(choose(|select| select.wait_timeout(MS)), None);
    assert_eq!(item, Some(1));
    assert_eq!((queue.getting(), channel.putting()), (0, 0));
}

#[test]
fn whoever_loses_leaves_no_trace() {
    let queues: Rc<[Channel<u32>; 3]> = Rc::new([Channel::new(), Channel::new(), Channel::new()]);
    let chooser = spawn({
        let queues = queues.clone();
        move || {
            let mut item = Some(7);
            let [a, b, c] = &*queues;
            Select::new()
                .get(a, |got| got.unwrap())
                .get(b, |got| got.unwrap())
                .put(c, &mut item, |_| unreachable!())
                .wait()
        }
    });
    settle();
    assert_eq!(queues.each_ref().map(|queue| (queue.getting(), queue.putting())), [(1, 0), (1, 0), (0, 1)]);
    queues[1].try_put(5).unwrap();
    // It has not run yet, but is nobody's getter or putter any more.
    assert_eq!(queues[0].try_put(6), Err(PutError::Full(6)));
    assert_eq!(queues[1].try_put(6), Err(PutError::Full(6)));
    assert_eq!(queues[2].try_get(), Err(GetError::Empty));
    assert_eq!(queues.each_ref().map(|queue| (queue.getting(), queue.putting())), [(0, 0); 3]);
    assert_eq!(chooser.join().unwrap(), 5);
}

#[test]
fn a_wake_through_one_queue_leaves_what_comes_in_another_to_others() {
    let (a, b) = (Rc::new(Queue::unbounded()), Rc::new(Queue::unbounded()));
    let chooser = spawn({
        let (a, b) = (a.clone(), b.clone());
        move || Select::new().get(&a, |got| got.unwrap()).get(&b, |got| got.unwrap()).wait()
    });
    yield_now();
    let getter = spawn({
        let b = b.clone();
        move || b.get().unwrap()
    });
    yield_now();
    a.put("a").unwrap();
    b.put("b").unwrap();
    assert_eq!(chooser.join().unwrap(), "a");
    assert_eq!(getter.join().unwrap(), "b");
    assert!(a.is_empty() && b.is_empty());
}

#[test]
fn a_choice_meets_another_choice_on_a_channel() {
    let (there, back) = (Rc::new(Channel::new()), Rc::new(Channel::new()));
    let offers = || {
        let (there, back) = (there.clone(), back.clone());
        spawn(move || {
            let mut item = Some(1);
            let select = Select::new().put(&there, &mut item, |put| put.map(|()| 0).unwrap());
            select.get(&back, |got| got.unwrap()).wait()
        })
    };
    let asks = || {
        let (there, back) = (there.clone(), back.clone());
        spawn(move || {
            let mut item = Some(2);
            let select = Select::new().get(&there, |got| got.unwrap());
            select.put(&back, &mut item, |put| put.map(|()| 0).unwrap()).wait()
        })
    };
    for first_offers in [true, false] {
        let (one, other) = if first_offers { (offers(), asks()) } else { (asks(), offers()) };
        let met = (one.join().unwrap(), other.join().unwrap());
        assert!([(0, 1), (1, 0), (0, 2), (2, 0)].contains(&met), "{met:?}");
    }
}

#[test]
fn the_same_queue_may_be_chosen_twice_and_nobody_meets_itself() {
    let channel = Rc::new(Channel::new());
    let mut item = Some(1);
    let alone = Select::new()
        .get(&channel, Heard::Number)
        .put(&channel, &mut item, Heard::Sent)
        .get(&channel, Heard::Number)
        .wait_timeout(MS);
    assert_eq!((alone, item), (None, Some(1)));
    let putter = spawn({
        let channel = channel.clone();
        move || channel.put(2)
    });
    let heard = Select::new()
        .get(&channel, Heard::Number)
        .put(&channel, &mut item, Heard::Sent)
        .get(&channel, Heard::Number)
        .wait();
    assert_eq!(heard, Heard::Number(Ok(2)));
    putter.join().unwrap().unwrap();
}

#[test]
fn events_results_and_the_end_of_tasks_can_be_waited_for_together_with_queues() {
    let (event, result) = (Rc::new(Event::new()), AsyncResult::new());
    let (task, queue) = (Rc::new(spawn(|| sleep(FOREVER))), Rc::new(Queue::<u32>::unbounded()));
    let choose = || {
        let (event, result, task, queue) = (event.clone(), result.clone(), task.clone(), queue.clone());
        spawn(move || {
            Select::new()
                .when(&event, || "event")
                .when(&event, || "event too")
                .when(&result, || "result")
                .when(&*task, || "task")
                .get(&queue, |_| "queue")
                .wait()
        })
    };
    let (chooser, other) = (choose(), choose());
    settle();
    event.set();
    event.clear();
    assert_eq!((chooser.join().unwrap(), other.join().unwrap()), ("event", "event"));
    let chooser = choose();
    settle();
    result.set(1).unwrap();
    assert_eq!(chooser.join().unwrap(), "result");
    assert_eq!(choose().join().unwrap(), "result", "it is there already");
    assert_eq!((queue.getting(), queue.is_empty()), (0, true));

    let chooser = spawn({
        let task = task.clone();
        move || Select::new().get(&Queue::<u32>::unbounded(), |_| "queue").when(&*task, || "task").wait()
    });
    settle();
    end(&task);
    assert_eq!(chooser.join().unwrap(), "task");
}

#[test]
fn no_case_that_is_always_ready_starves_another() {
    let (a, b) = ((0..2000).collect::<Queue<u32>>(), (0..2000).collect::<PriorityQueue<u32>>());
    let full = Queue::unbounded();
    let mut counts = [0; 3];
    for _ in 0..1200 {
        let mut item = Some(0);
        let which = Select::new().get(&a, |_| 0).get(&b, |_| 1).put(&full, &mut item, |_| 2).wait();
        counts[which] += 1;
    }
    assert!(counts.iter().all(|count| (250..550).contains(count)), "{counts:?}");
}

#[test]
fn choosing_in_a_loop_lets_others_run() {
    let (queue, stop) = (Queue::unbounded(), Rc::new(Cell::new(false)));
    drop(spawn({
        let stop = stop.clone();
        move || stop.set(true)
    }));
    let choose = || {
        let mut item = Some(());
        Select::new().put(&queue, &mut item, |put| put.unwrap()).wait();
    };
    repeat_until(|| stop.get(), choose);
}

#[test]
fn a_queue_that_is_shut_down_is_ready() {
    let (queue, channel) = (Rc::new(Queue::<u32>::unbounded()), Rc::new(Channel::<u32>::new()));
    let (getter, putter) = (
        spawn({
            let queue = queue.clone();
            move || Select::new().get(&queue, Heard::Number).wait()
        }),
        spawn({
            let channel = channel.clone();
            move || {
                let mut item = Some(1);
                Select::new().put(&channel, &mut item, Heard::Sent).wait()
            }
        }),
    );
    settle();
    queue.shutdown();
    channel.shutdown();
    assert_eq!(getter.join().unwrap(), Heard::Number(Err(GetError::ShutDown)));
    assert_eq!(putter.join().unwrap(), Heard::Sent(Err(PutError::ShutDown(1))));
    let mut item = Some(2);
    let at_once = [
        Select::new().get(&queue, Heard::Number).try_wait().unwrap(),
        Select::new().put(&queue, &mut item, Heard::Sent).try_wait().unwrap(),
    ];
    assert_eq!(at_once, [Heard::Number(Err(GetError::ShutDown)), Heard::Sent(Err(PutError::ShutDown(2)))]);
}

#[test]
fn a_case_with_nothing_to_put_never_happens() {
    let (queue, mut nothing) = (Queue::<u32>::unbounded(), None);
    let select = Select::new().put(&queue, &mut nothing, Heard::Sent);
    assert_eq!(select.wait_timeout(MS), None);
    assert!(queue.is_empty());
    let mut nothing = None;
    let words = Rc::new(Queue::unbounded());
    drop(spawn({
        let words = words.clone();
        move || words.put("hello").unwrap()
    }));
    let select = Select::new().put(&queue, &mut nothing, Heard::Sent).get(&words, Heard::Word);
    assert_eq!(select.wait(), Heard::Word(Ok("hello")));
}

#[test]
fn a_choice_between_nothing_waits_until_it_is_interrupted() {
    assert_eq!(with_timeout(MS, || Select::<()>::new().wait()), Err(TimeoutError::Elapsed));
    assert_eq!(Select::<()>::default().try_wait(), None);
    let payload = catch_unwind(|| Select::<()>::new().wait()).unwrap_err();
    assert!(payload.downcast_ref::<String>().unwrap().contains("one of several queues"));
}

#[test]
fn an_item_of_a_choice_that_is_killed_stays_where_it_was() {
    let (channel, item) = (Rc::new(Channel::new()), Rc::new(RefCell::new(Some("kept"))));
    let chooser = spawn({
        let (channel, item) = (channel.clone(), item.clone());
        move || Select::new().put(&channel, &mut item.borrow_mut(), |put| put.unwrap()).wait()
    });
    settle();
    end(&chooser);
    assert_eq!(item.take(), Some("kept"));
    assert_eq!(channel.try_get(), Err(GetError::Empty));
}

#[test]
fn a_number_of_queues_that_is_not_known_beforehand_can_be_chosen_from() {
    let queues: Vec<Queue<usize>> = (0..50).map(|_| Queue::unbounded()).collect();
    queues[33].put(1).unwrap();
    let mut select = Select::new();
    for (number, queue) in queues.iter().enumerate() {
        select = select.get(queue, move |got| (number, got.unwrap()));
    }
    assert_eq!(select.wait(), (33, 1));
}

#[test]
fn many_choices_over_many_queues_lose_nothing() {
    const QUEUES: usize = 5;
    const ITEMS: usize = 200;
    let queues: Rc<Vec<Queue<usize>>> = Rc::new((0..QUEUES).map(|_| Queue::bounded(2)).collect());
    let got: Rc<RefCell<Vec<usize>>> = Rc::default();
    let consumers: Vec<_> = (0..7)
        .map(|_| {
            let (queues, got) = (queues.clone(), got.clone());
            spawn(move || {
                loop {
                    let mut select = Select::new();
                    for queue in queues.iter() {
                        select = select.get(queue, |item| item.unwrap());
                    }
                    let item = select.wait();
                    got.borrow_mut().push(item);
                }
            })
        })
        .collect();
    let producers: Vec<_> = (0..3)
        .map(|producer| {
            let queues = queues.clone();
            spawn(move || {
                for n in 0..ITEMS {
                    let mut item = Some(producer * ITEMS + n);
                    let (one, other) = (&queues[n % QUEUES], &queues[(n + producer + 1) % QUEUES]);
                    let mut nothing = None;
                    Select::new()
                        .put(one, &mut item, |put| put.unwrap())
                        .put(other, &mut nothing, |_| unreachable!())
                        .wait();
                    if n % 50 == 0 {
                        yield_now();
                    }
                }
            })
        })
        .collect();
    // Consumers die at any moment; one is left.
    for consumer in &consumers[1..] {
        yield_now();
        consumer.kill().unwrap();
    }
    assert_eq!(join_all(&producers, Some(FOREVER)).len(), 3);
    settle();
    assert!(consumers[1..].iter().all(|task| task.is_finished()));
    let mut got = got.take();
    got.sort_unstable();
    assert_eq!(got, (0..3 * ITEMS).collect::<Vec<_>>());
    let _ = catch_unwind(AssertUnwindSafe(|| end(&consumers[0])));
}

#[test]
fn what_is_waited_for_cannot_wait_as_it_is_asked() {
    struct Waits(Event);
    impl Waitable for Waits {
        fn watched(&self) -> Watched<'_> {
            yield_now();
            self.0.watched()
        }
    }
    let (queue, waits) = (Rc::new(Queue::unbounded()), Waits(Event::new()));
    let put = {
        let queue = queue.clone();
        spawn(move || queue.put(1))
    };
    // The item would come between the look at the queue and the place in its line.
    let select = || Select::new().get(&queue, |_| ()).when(&waits, || ()).wait();
    let message = catch_unwind(AssertUnwindSafe(select)).unwrap_err();
    assert_eq!(message.downcast_ref::<&str>(), Some(&"a callback of the hub cannot wait"));
    assert!(catch_unwind(AssertUnwindSafe(|| wait([&waits], None, None).len())).is_err());
    put.join().unwrap().unwrap();
    assert_eq!(queue.try_get(), Ok(1));
}
