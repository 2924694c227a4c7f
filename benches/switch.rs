//! The switch layer beside corosensei and a bare inline swap, in one run.
//!
//! Every figure is the time of *one way*: a round trip counts as two elements, so read the
//! `thrpt` line, or divide.

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use greenlet::Greenlet;

const STACK: usize = 64 * 1024;

/// A greenlet that sends back what it gets.
fn echo<T: 'static>() -> Greenlet<T> {
    let main = Greenlet::<T>::current();
    Greenlet::<T>::builder().stack_size(STACK).build(move |mut value: T| {
        loop {
            value = main.switch(value);
        }
    })
}

/// A corosensei coroutine that sends back what it gets.
fn coro_echo<T: 'static>() -> Coroutine<T, T, (), DefaultStack> {
    Coroutine::with_stack(DefaultStack::new(STACK).expect("memory for a stack"), |yielder, mut value: T| {
        loop {
            value = yielder.suspend(value);
        }
    })
}

fn resume<T>(coroutine: &mut Coroutine<T, T, (), DefaultStack>, value: T) -> T {
    match coroutine.resume(value) {
        CoroutineResult::Yield(value) => value,
        CoroutineResult::Return(()) => unreachable!("the echo has no end"),
    }
}

fn group<'a>(c: &'a mut Criterion, name: &str, switches: u64) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(switches));
    group
}

fn hub_and_one(c: &mut Criterion) {
    let mut group = group(c, "one way, hub <-> 1, a word", 2);
    let g = echo::<usize>();
    let mut value = 0;
    group.bench_function("greenlet", |b| b.iter(|| value = g.switch(value)));
    let mut coroutine = coro_echo::<usize>();
    group.bench_function("corosensei", |b| b.iter(|| value = resume(&mut coroutine, value)));
    bare::bench(&mut group);
    group.finish();
}

fn values(c: &mut Criterion) {
    let mut group = group(c, "one way, hub <-> 1, 64 bytes", 2);
    let g = echo::<[u64; 8]>();
    let mut value = [1; 8];
    group.bench_function("greenlet", |b| b.iter(|| value = g.switch(black_box(value))));
    let mut coroutine = coro_echo::<[u64; 8]>();
    group.bench_function("corosensei", |b| b.iter(|| value = resume(&mut coroutine, black_box(value))));
    group.finish();
}

fn hub_and_many(c: &mut Criterion) {
    for n in [1_000, 10_000] {
        let mut group = group(c, &format!("one way, hub <-> {n}, a word"), 2 * n);
        let greenlets: Vec<_> = (0..n).map(|_| echo::<usize>()).collect();
        group.bench_function("greenlet", |b| b.iter(|| greenlets.iter().fold(0, |value, g| g.switch(value))));
        drop(greenlets);
        let mut coroutines: Vec<_> = (0..n).map(|_| coro_echo::<usize>()).collect();
        group.bench_function("corosensei", |b| {
            b.iter(|| coroutines.iter_mut().fold(0, |value, coroutine| resume(coroutine, value)))
        });
        group.finish();
    }
}

/// Each greenlet switches straight to the next one, which corosensei cannot.
fn ring(c: &mut Criterion) {
    const N: usize = 10_000;
    let mut group = group(c, "one way, ring of 10000", N as u64 + 1);
    let main = Greenlet::<usize>::current();
    let ring: Rc<[Cell<Option<Greenlet<usize>>>]> = (0..N).map(|_| Cell::new(None)).collect();
    for i in 0..N {
        let (ring_of_child, main) = (ring.clone(), main.clone());
        let g = Greenlet::<usize>::builder().stack_size(STACK).build(move |first| {
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
    assert_eq!(first.switch(0), N);
    group.bench_function("greenlet", |b| b.iter(|| first.switch(0)));
    group.finish();
}

fn create(c: &mut Criterion) {
    let mut group = group(c, "create + run + finish, recycled stack", 1);
    group.bench_function("greenlet", |b| {
        b.iter(|| Greenlet::<usize>::builder().stack_size(STACK).build(black_box).switch(1))
    });
    let mut stack = Some(DefaultStack::new(STACK).expect("memory for a stack"));
    group.bench_function("corosensei", |b| {
        b.iter(|| {
            let taken = stack.take().expect("the stack came back");
            let mut coroutine = Coroutine::<usize, (), usize, _>::with_stack(taken, |_, n| black_box(n));
            let result = match coroutine.resume(1) {
                CoroutineResult::Return(n) => n,
                CoroutineResult::Yield(()) => unreachable!("it returns at once"),
            };
            stack = Some(coroutine.into_stack());
            result
        })
    });
    group.finish();
}

/// The least a switch can be on this machine: the same instructions, nothing checked.
#[cfg(target_arch = "x86_64")]
mod bare {
    use std::arch::asm;
    use std::hint::black_box;

    use criterion::{BenchmarkGroup, measurement::WallTime};

    use super::STACK;

    /// # Safety
    ///
    /// `to` is a stack pointer that this function saved, or that `bench` laid out; `save` is writable.
    #[inline(always)]
    unsafe fn swap(save: *mut usize, to: usize, word: usize) -> usize {
        let mut word = word;
        // SAFETY: every callee-saved register is saved or declared clobbered.
        unsafe {
            asm!(
                "push rbx",
                "push rbp",
                "lea rax, [rip + 2f]",
                "push rax",
                "mov [rdx], rsp",
                "mov rsp, rcx",
                "pop rax",
                "jmp rax",
                "2:",
                "pop rbp",
                "pop rbx",
                inout("rdi") word,
                inout("rdx") save => _,
                inout("rcx") to => _,
                out("r12") _, out("r13") _, out("r14") _, out("r15") _,
                clobber_abi("sysv64"),
            );
        }
        word
    }

    static mut MAIN: usize = 0;
    static mut PEER: usize = 0;

    extern "sysv64" fn peer(mut word: usize) -> ! {
        loop {
            // SAFETY: one thread, and MAIN was saved by the swap that came here.
            word = unsafe { swap(&raw mut PEER, MAIN, word) };
        }
    }

    pub fn bench(group: &mut BenchmarkGroup<'_, WallTime>) {
        let mut stack = vec![0_usize; STACK / 8];
        let top = (stack.as_mut_ptr() as usize + STACK) & !15;
        // SAFETY: the words are in the vector; `peer` is entered with its stack 8 off alignment,
        // as after a call.
        unsafe {
            *((top - 16) as *mut usize) = peer as *const () as usize;
            PEER = top - 16;
        }
        let mut value = 0;
        group.bench_function("bare swap", |b| {
            // SAFETY: one thread, PEER is suspended.
            b.iter(|| value = unsafe { swap(&raw mut MAIN, PEER, value) })
        });
        black_box(stack);
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod bare {
    pub fn bench<T>(_: &mut T) {}
}

criterion_group!(benches, hub_and_one, values, hub_and_many, ring, create);
criterion_main!(benches);
