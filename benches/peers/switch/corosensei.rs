//! The way of corosensei. Its switches are asymmetric: nobody can go from one to the next.

use std::cell::Cell;
use std::hint::black_box;
use std::time::Duration;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::greenlets::thousands;
use crate::rows::*;
use crate::suite::Contestant;
use crate::suite::run::{Clock, Run};

pub const COROSENSEI: Contestant = Contestant {
    name: "corosensei",
    ways: &[
        (UNIT, |run| there_and_back(run, ())),
        (WORD, |run| there_and_back(run, 1_usize)),
        (BYTES, |run| there_and_back(run, [1_u64; 8])),
        (DYN, through_dyn),
        (NOT_INLINED, not_inlined),
        (GENERATOR_UNIT, |run| there_and_back(run, ())),
        (GENERATOR_WORD, |run| there_and_back(run, 1_usize)),
        (KILL, kill),
        (FINISH, finish),
        (FRESH, fresh),
        (HUB_1000, |run| hub(run, 1000)),
        (HUB_10000, |run| hub(run, 10_000)),
    ],
};

type Echo<T> = Coroutine<T, T, (), DefaultStack>;

fn stack() -> DefaultStack {
    DefaultStack::new(STACK).expect("memory for a stack")
}

/// A coroutine that sends back what it gets.
fn echo<T: 'static>() -> Echo<T> {
    Coroutine::with_stack(stack(), |yielder, mut value| {
        loop {
            value = yielder.suspend(value);
        }
    })
}

#[inline(always)]
fn resume<T>(coroutine: &mut Echo<T>, value: T) -> T {
    match coroutine.resume(value) {
        CoroutineResult::Yield(value) => value,
        CoroutineResult::Return(()) => unreachable!("it has no end"),
    }
}

fn there_and_back<T: Copy + 'static>(run: &mut Run, value: T) {
    let mut coroutine = echo();
    run.iter(|| resume(&mut coroutine, black_box(value)));
}

fn through_dyn(run: &mut Run) {
    let mut coroutine: Echo<usize> = Coroutine::with_stack(stack(), |yielder, mut value| {
        let back: Box<dyn Fn(usize) -> usize + '_> = Box::new(|value| yielder.suspend(value));
        loop {
            value = black_box(&back)(value);
        }
    });
    let mut there: Box<dyn FnMut(usize) -> usize> = Box::new(move |value| resume(&mut coroutine, value));
    run.iter(|| black_box(&mut there)(1));
}

fn not_inlined(run: &mut Run) {
    #[inline(never)]
    fn there(coroutine: &mut Echo<usize>, value: usize) -> usize {
        resume(coroutine, value)
    }
    #[inline(never)]
    fn back(yielder: &Yielder<usize, usize>, value: usize) -> usize {
        yielder.suspend(value)
    }
    let mut coroutine: Echo<usize> = Coroutine::with_stack(stack(), |yielder, mut value| {
        loop {
            value = back(yielder, value);
        }
    });
    run.iter(|| there(&mut coroutine, 1));
}

/// Runs `f` with a stack that is used again and again.
fn recycled(run: &mut Run, mut f: impl FnMut(DefaultStack) -> DefaultStack) {
    let place = Cell::new(Some(stack()));
    run.iter(|| place.set(place.take().map(&mut f)));
}

fn kill(run: &mut Run) {
    recycled(run, |stack| {
        let mut coroutine: Coroutine<(), (), (), _> =
            Coroutine::with_stack(stack, |yielder, ()| yielder.suspend(()));
        coroutine.resume(());
        coroutine.force_unwind();
        coroutine.into_stack()
    });
}

fn finish(run: &mut Run) {
    recycled(run, |stack| {
        let mut coroutine: Coroutine<usize, (), usize, _> =
            Coroutine::with_stack(stack, |_, value| black_box(value));
        black_box(coroutine.resume(1));
        coroutine.into_stack()
    });
}

fn fresh(run: &mut Run) {
    fn a_thousand_at_most(count: u64, clock: Clock) -> Duration {
        let mut parked = Vec::with_capacity(count as usize);
        clock.time(|| {
            for _ in 0..count {
                let mut coroutine: Coroutine<(), (), (), _> =
                    Coroutine::with_stack(stack(), |yielder, ()| yielder.suspend(()));
                coroutine.resume(());
                parked.push(coroutine);
            }
        })
    }
    run.custom(|iterations, clock| thousands(iterations).map(|count| a_thousand_at_most(count, clock)).sum());
}

fn hub(run: &mut Run, count: usize) {
    let mut coroutines: Vec<_> = (0..count).map(|_| echo::<usize>()).collect();
    run.iter(|| coroutines.iter_mut().fold(0, |value, coroutine| resume(coroutine, value)));
}
