//! Crowds without a scheduler: each is started, yields once, and is resumed once more.

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use generator::{Gn, Scope};

use crate::census::{Census, Crowd};

const STACK: usize = 64 << 10;

pub const CROWDS: [Crowd; 2] = [
    Crowd { contestant: "corosensei", parked: "switch, 64 KiB", live: corosensei },
    Crowd { contestant: "generator", parked: "switch, 64 KiB", live: generator },
];

fn corosensei(count: usize, census: &mut Census) {
    let mut crowd = Vec::with_capacity(count);
    for _ in 0..count {
        let stack = DefaultStack::new(STACK).expect("memory for a stack");
        let mut coroutine: Coroutine<(), (), (), _> =
            Coroutine::with_stack(stack, |yielder, ()| yielder.suspend(()));
        coroutine.resume(());
        crowd.push(coroutine);
        census.one_more();
    }
    census.everybody_is_here();
    for coroutine in &mut crowd {
        assert!(matches!(coroutine.resume(()), CoroutineResult::Return(())));
    }
}

fn generator(count: usize, census: &mut Census) {
    let yield_once = |mut scope: Scope<'_, 'static, (), ()>| {
        scope.yield_(());
    };
    let mut crowd = Vec::with_capacity(count);
    for _ in 0..count {
        let mut generator = Gn::new_scoped_opt(STACK / size_of::<usize>(), yield_once);
        generator.resume();
        crowd.push(generator);
        census.one_more();
    }
    census.everybody_is_here();
    for generator in &mut crowd {
        generator.resume();
        assert!(generator.is_done());
    }
}
