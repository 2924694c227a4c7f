//! What cannot be seen from above: whose block is the rested one.

use super::super::Greenlet;
use super::super::thread::current;
use super::*;

const SMALL: usize = 64 << 10;
const LARGE: usize = 512 << 10;

fn greenlet(stack_size: usize) -> Greenlet {
    Greenlet::builder().stack_size(stack_size).build(|()| ())
}

fn core(greenlet: &Greenlet) -> &Core {
    // SAFETY: the handle keeps it.
    unsafe { greenlet.core_ptr().as_ref() }
}

fn place(stack: Stack) -> usize {
    stack.top().addr().get()
}

/// Says whose block is the rested one, and sees that it has a stack.
fn rested() -> Option<NonNull<Core>> {
    // SAFETY: the current greenlet is alive.
    let rested = unsafe { current().as_ref() }.thread().rested.get();
    // SAFETY: blocks stay as long as their thread.
    assert!(rested.is_none_or(|block| unsafe { block.as_ref() }.stack.get().is_some()), "it has a stack");
    rested
}

#[test]
fn what_is_reserved_is_not_rested_whether_it_was_in_the_block_or_not() {
    for second in [SMALL, LARGE] {
        let first = greenlet(SMALL);
        let block = first.core_ptr();
        first.switch(());
        assert_eq!(rested(), Some(block));
        drop(first);
        let again = greenlet(second);
        assert_eq!(again.core_ptr(), block, "the same block");
        assert_eq!(rested(), (second == SMALL).then_some(block));
        reserve(core(&again)).unwrap();
        assert_eq!(rested(), None);
        let its_own = place(core(&again).stack.get().expect("it is reserved"));
        let another = greenlet(second);
        reserve(core(&another)).unwrap();
        assert_ne!(core(&another).stack.get().map(place), Some(its_own));
    }
}

#[test]
fn a_stack_that_is_passed_on_rests_when_its_heir_has_ended_and_until_it_is_given_back() {
    let first = greenlet(SMALL);
    first.switch(());
    drop(first);
    // Runs on the rested stack, which its unstarted parent inherits.
    let child = greenlet(SMALL);
    assert_eq!(rested(), Some(child.core_ptr()));
    let parent = Greenlet::<()>::builder().stack_size(SMALL).build(|()| assert_eq!(rested(), None));
    child.set_parent(&parent).unwrap();
    child.switch(());
    assert!(parent.is_dead() && child.is_dead());
    assert_eq!(rested(), Some(parent.core_ptr()));
    give_back_rested(core(&parent).thread());
    assert_eq!(rested(), None);
}
