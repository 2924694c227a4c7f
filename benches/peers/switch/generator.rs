//! The way of generator, on which `may` stands. Its switches are asymmetric, and it allocates its stacks
//! by itself.

use std::hint::black_box;
use std::time::Duration;

use generator::{Generator, Gn, Scope};

use crate::greenlets::thousands;
use crate::rows::*;
use crate::suite::Contestant;
use crate::suite::run::{Clock, Run};

pub const GENERATOR: Contestant = Contestant {
    name: "generator",
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

type Echo<T> = Generator<'static, T, T>;

/// It counts in words.
const WORDS: usize = STACK / size_of::<usize>();

/// A generator that sends back what it gets.
fn echo<T: Send + 'static>() -> Echo<T> {
    Gn::new_scoped_opt(WORDS, |mut scope: Scope<'_, 'static, T, T>| {
        let mut value = scope.get_yield().expect("it is started with a value");
        loop {
            value = back(&mut scope, value);
        }
    })
}

#[inline(always)]
fn back<T>(scope: &mut Scope<'_, 'static, T, T>, value: T) -> T {
    scope.yield_(value).expect("it is resumed with a value")
}

fn there_and_back<T: Copy + Send + 'static>(run: &mut Run, value: T) {
    let mut generator = echo();
    run.iter(|| generator.send(black_box(value)));
}

fn through_dyn(run: &mut Run) {
    let mut generator = Gn::new_scoped_opt(WORDS, |mut scope: Scope<'_, 'static, usize, usize>| {
        let mut value = scope.get_yield().expect("it is started with a value");
        let mut back: Box<dyn FnMut(usize) -> usize> = Box::new(|value| back(&mut scope, value));
        loop {
            value = black_box(&mut back)(value);
        }
    });
    let mut there: Box<dyn FnMut(usize) -> usize> = Box::new(move |value| generator.send(value));
    run.iter(|| black_box(&mut there)(1));
}

fn not_inlined(run: &mut Run) {
    #[inline(never)]
    fn there(generator: &mut Echo<usize>, value: usize) -> usize {
        generator.send(value)
    }
    #[inline(never)]
    fn and_back(scope: &mut Scope<'_, 'static, usize, usize>, value: usize) -> usize {
        back(scope, value)
    }
    let mut generator = Gn::new_scoped_opt(WORDS, |mut scope: Scope<'_, 'static, usize, usize>| {
        let mut value = scope.get_yield().expect("it is started with a value");
        loop {
            value = and_back(&mut scope, value);
        }
    });
    run.iter(|| there(&mut generator, 1));
}

fn yield_once(mut scope: Scope<'_, 'static, (), ()>) {
    scope.yield_(());
}

/// A generator that is over can be given another function, and keeps its stack.
fn kill(run: &mut Run) {
    let mut generator = Gn::new_scoped_opt(WORDS, yield_once);
    run.iter(|| {
        generator.resume();
        generator.cancel();
        generator.scoped_init(yield_once);
    });
}

fn finish(run: &mut Run) {
    let body = |mut scope: Scope<'_, 'static, usize, usize>| black_box(scope.get_yield().unwrap_or(0));
    let mut generator = Gn::new_scoped_opt(WORDS, body);
    run.iter(|| {
        black_box(generator.send(1));
        generator.scoped_init(body);
    });
}

fn fresh(run: &mut Run) {
    fn a_thousand_at_most(count: u64, clock: Clock) -> Duration {
        let mut parked = Vec::with_capacity(count as usize);
        clock.time(|| {
            for _ in 0..count {
                let mut generator = Gn::new_scoped_opt(WORDS, yield_once);
                generator.resume();
                parked.push(generator);
            }
        })
    }
    run.custom(|iterations, clock| thousands(iterations).map(|count| a_thousand_at_most(count, clock)).sum());
}

fn hub(run: &mut Run, count: usize) {
    let mut generators: Vec<_> = (0..count).map(|_| echo::<usize>()).collect();
    run.iter(|| generators.iter_mut().fold(0, |value, generator| generator.send(value)));
}
