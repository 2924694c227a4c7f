//! Has Valgrind know where stacks are.
//!
//! It sees every instruction, but cannot tell a switch to another stack from a large frame, unless both
//! stacks were announced. That is done when a stack is made, not when it is used, and costs six
//! instructions where no Valgrind runs the program.

use std::ops::Range;

use crate::arch::valgrind_request;

// valgrind.h: `enum Vg_ClientRequest`.
const STACK_REGISTER: usize = 0x1501;
const STACK_DEREGISTER: usize = 0x1502;

/// A stack that Valgrind knows of, until this is dropped.
pub(crate) struct Known {
    id: usize,
}

impl Known {
    /// Announces a stack at these addresses; `None` where nobody listens.
    pub(crate) fn new(stack: Range<usize>) -> Option<Self> {
        let id = valgrind_request([STACK_REGISTER, stack.start, stack.end - 1, 0, 0, 0]);
        (id != 0).then_some(Self { id })
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        valgrind_request([STACK_DEREGISTER, self.id, 0, 0, 0, 0]);
    }
}
