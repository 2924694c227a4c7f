//! This crate's way.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use greenlet::{Builder, Generator, Greenlet, Step, Yielder};

use crate::rows::*;
use crate::suite::Contestant;
use crate::suite::run::{Clock, Run};

pub const GREENLETS: Contestant = Contestant {
    name: "greenlet",
    ways: &[
        (UNIT, |run| there_and_back(run, ())),
        (WORD, |run| there_and_back(run, 1_usize)),
        (BYTES, |run| there_and_back(run, [1_u64; 8])),
        (TRY, try_switch),
        (DYN, through_dyn),
        (NOT_INLINED, not_inlined),
        (GENERATOR_UNIT, |run| generator(run, ())),
        (GENERATOR_WORD, |run| generator(run, 1_usize)),
        (THROW, throw),
        (KILL, kill),
        (FINISH, finish),
        (FRESH, fresh),
        (HUB_1000, |run| hub(run, 1000)),
        (HUB_10000, |run| hub(run, 10_000)),
        (RING_10000, |run| ring(run, 10_000)),
        (RING_100000, |run| ring(run, 100_000)),
    ],
};

fn options<T>() -> Builder<T> {
    Greenlet::builder().stack_size(STACK)
}

/// A greenlet that sends back what it gets.
fn echo<T>() -> Greenlet<T> {
    let main = Greenlet::current();
    options().build(move |mut value| {
        loop {
            value = main.switch(value);
        }
    })
}

fn there_and_back<T: Copy + 'static>(run: &mut Run, value: T) {
    let g = echo();
    run.iter(|| g.switch(black_box(value)));
}

fn try_switch(run: &mut Run) {
    let main = Greenlet::current();
    let g = options().build(move |mut value: usize| {
        loop {
            value = main.try_switch(value).unwrap_or_else(|raised| raised.resume());
        }
    });
    run.iter(|| g.try_switch(black_box(1)).unwrap_or_else(|raised| raised.resume()));
}

fn through_dyn(run: &mut Run) {
    let back: Box<dyn Fn(usize) -> usize> = {
        let main = Greenlet::current();
        Box::new(move |value| main.switch(value))
    };
    let g = options().build(move |mut value| {
        loop {
            value = black_box(&back)(value);
        }
    });
    let there: Box<dyn Fn(usize) -> usize> = Box::new(move |value| g.switch(value));
    run.iter(|| black_box(&there)(1));
}

fn not_inlined(run: &mut Run) {
    #[inline(never)]
    fn switch(to: &Greenlet<usize>, value: usize) -> usize {
        to.switch(value)
    }
    let main = Greenlet::current();
    let g = options().build(move |mut value| {
        loop {
            value = switch(&main, value);
        }
    });
    run.iter(|| switch(&g, 1));
}

fn generator<T: Copy + 'static>(run: &mut Run, value: T) {
    let echo = |yielder: &Yielder<T, T>, mut value| {
        loop {
            value = yielder.yield_(value);
        }
    };
    let mut generator: Generator<T, T, ()> = Generator::with_stack_size(STACK, echo).expect("a size");
    run.iter(|| match generator.resume(black_box(value)) {
        Step::Yielded(value) => value,
        Step::Returned(()) => unreachable!("it has no end"),
    });
}

fn throw(run: &mut Run) {
    let main = Greenlet::current();
    let g = options().build(move |()| {
        loop {
            // Dropped when the last handle goes, at which it has to end.
            match main.try_switch(()) {
                Err(raised) if raised.is_exit() => return,
                _ => {}
            }
        }
    });
    g.switch(());
    run.iter(|| g.throw(1_usize));
}

fn kill(run: &mut Run) {
    let main = Greenlet::<()>::current();
    run.iter(|| {
        let main = main.clone();
        let g = options().build(move |()| main.switch(()));
        g.switch(());
        g.kill()
    });
}

fn finish(run: &mut Run) {
    run.iter(|| options().build(black_box::<usize>).switch(1));
}

/// Each thread has stacks of its own, so those of a new thread are fresh.
fn fresh(run: &mut Run) {
    fn a_thousand_at_most(count: u64, clock: Clock) -> Duration {
        let main = Greenlet::<()>::current();
        let mut parked = Vec::with_capacity(count as usize);
        clock.time(|| {
            for _ in 0..count {
                let main = main.clone();
                let g = options().build(move |()| main.switch(()));
                g.switch(());
                parked.push(g);
            }
        })
    }
    run.custom(|iterations, clock| {
        let on_a_new_thread =
            |count| std::thread::spawn(move || a_thousand_at_most(count, clock)).join().expect("no panic");
        thousands(iterations).map(on_a_new_thread).sum()
    });
}

/// A number as a sum of numbers up to a thousand.
pub fn thousands(number: u64) -> impl Iterator<Item = u64> {
    (0..number).step_by(1000).map(move |done| (number - done).min(1000))
}

fn hub(run: &mut Run, count: usize) {
    let greenlets: Vec<_> = (0..count).map(|_| echo::<usize>()).collect();
    run.iter(|| greenlets.iter().fold(0, |value, g| g.switch(value)));
}

fn ring(run: &mut Run, count: usize) {
    let main = Greenlet::<usize>::current();
    let ring: Rc<[Cell<Option<Greenlet<usize>>>]> = (0..count).map(|_| Cell::new(None)).collect();
    for i in 0..count {
        let (ring_of_child, main) = (ring.clone(), main.clone());
        let g = options().build(move |first| {
            let mut value = main.switch(first);
            let next = ring_of_child.get(i + 1).map_or(main, |next| {
                let g = next.take().expect("the ring is complete");
                next.set(Some(g.clone()));
                g
            });
            loop {
                value = next.switch(value + 1);
            }
        });
        g.switch(0);
        ring[i].set(Some(g));
    }
    let first = ring[0].take().expect("the ring is complete");
    assert_eq!(first.switch(0), count);
    run.iter(|| first.switch(0));
}
