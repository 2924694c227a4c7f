//! The control block of a generator, and how its body begins and ends.
//!
//! It is one allocation, which the body's yielder points into; so a generator can be moved at any time.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use super::Yielder;
use crate::arch::{
    Caller, Entered, EntryOfEntered, Farewell, KINDS, Message, StackPointer, nowhere_to_enter,
};
use crate::greenlet::core::Core;
use crate::greenlet::error::SwitchError;
use crate::greenlet::raised::Raised;
use crate::greenlet::storage::OwnStorage;
use crate::greenlet::thread::{self, Thread};
use crate::greenlet::{parcel, stacks};
use crate::stack::{SizeClass, Stack};

/// The kind of the last message to a resumer, which no parcel has: the body has returned, and its result is in the block.
pub(super) const RETURNED: usize = KINDS - 2;

/// What resumers and the body share. It does not know the types of their values.
#[repr(C)]
pub(super) struct Block {
    pub(super) entered: Entered,
    kind: &'static Kind,
    state: Cell<State>,
    /// Where its body is suspended, if the generator itself does not say so; else null.
    pub(super) suspended_at: Cell<StackPointer>,
    class: SizeClass,
    stack: Cell<Option<Stack>>,
    /// Whose stack it is; kept until this is freed, which nobody does who stands on that stack.
    thread: Cell<Option<NonNull<Thread>>>,
    /// The number of the greenlet in whose own thread-local storage the body has started, if it has. It may hold
    /// references into that.
    storage_of: Cell<Option<u64>>,
}

/// Where a generator is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Unstarted,
    /// Its body stands: it is suspended, or it runs.
    Started,
    Over,
}

/// What is known of a body whose type was erased.
struct Kind {
    run: EntryOfEntered,
    drop_body: unsafe fn(NonNull<Block>),
    free: unsafe fn(NonNull<Block>),
}

/// A block that may hold a result.
#[repr(C)]
pub(super) struct Returning<T> {
    pub(super) block: Block,
    pub(super) result: Cell<Option<T>>,
}

/// A block that holds a body until that starts.
#[repr(C)]
struct Whole<T, F> {
    returning: Returning<T>,
    body: Cell<Option<F>>,
}

/// The block of an unstarted generator, to be [freed](free) by the caller.
pub(super) fn new<R, Y, T, F>(class: SizeClass, body: F) -> NonNull<Returning<T>>
where
    F: FnOnce(&Yielder<R, Y>, R) -> T,
    R: 'static,
    Y: 'static,
{
    let block = Block {
        entered: Entered::new(),
        kind: const { &Kind { run: run::<R, Y, T, F>, drop_body: drop_body::<T, F>, free: free_whole::<T, F> } },
        state: Cell::new(State::Unstarted),
        suspended_at: Cell::new(ptr::null_mut()),
        class,
        stack: Cell::new(None),
        thread: Cell::new(None),
        storage_of: Cell::new(None),
    };
    let returning = Returning { block, result: Cell::new(None::<T>) };
    NonNull::from(Box::leak(Box::new(Whole { returning, body: Cell::new(Some(body)) }))).cast()
}

/// Frees a block, with what is left in it.
///
/// # Safety
///
/// It came from [`new`], its body is not suspended, and nobody uses it any more.
pub(super) unsafe fn free<T>(this: NonNull<Returning<T>>) {
    // SAFETY: the caller's word.
    unsafe { (this.as_ref().block.kind.free)(this.cast()) };
}

/// # Safety
///
/// As for [`free`], and the block is part of such a whole.
unsafe fn free_whole<T, F>(this: NonNull<Block>) {
    // SAFETY: the caller's word: `new` made the box.
    drop(unsafe { Box::from_raw(this.cast::<Whole<T, F>>().as_ptr()) });
}

/// # Safety
///
/// The block is part of such a whole.
unsafe fn drop_body<T, F>(this: NonNull<Block>) {
    // SAFETY: the caller's word.
    drop(unsafe { this.cast::<Whole<T, F>>().as_ref() }.body.take());
}

/// What the base frame of a generator's stack calls, see [`EntryOfEntered`].
///
/// # Safety
///
/// `whole` is a block with that body, which the resumer's first message has started.
unsafe extern "C" fn run<R, Y, T, F>(
    word: MaybeUninit<usize>,
    _kind: usize,
    whole: *const (),
    resumer: StackPointer,
) -> Farewell
where
    F: FnOnce(&Yielder<R, Y>, R) -> T,
    R: 'static,
    Y: 'static,
{
    // SAFETY: the caller's word. It stays as long as its body stands.
    let Whole { returning: Returning { block, result }, body } = unsafe { &*whole.cast::<Whole<T, F>>() };
    let stack = block.stack.get().expect("what runs has a stack");
    let yielder = Yielder::new(&block.entered, stack, Caller::new(resumer));
    block.entered.entered(&yielder.resumer);
    // SAFETY: what starts a body is a value.
    let first = unsafe { parcel::unpack::<R>(word) };
    let body = body.take().expect("a generator starts once, with a body");
    let message = match catch_unwind(AssertUnwindSafe(|| body(&yielder, first))) {
        Ok(returned) => {
            result.set(Some(returned));
            Message { word: MaybeUninit::uninit(), kind: RETURNED }
        }
        Err(payload) => parcel::raised(Raised::from_payload(payload)),
    };
    block.end();
    // SAFETY: the resumer waits, and takes this.
    unsafe { block.entered.give_way(&yielder.resumer, message) }
}

impl Block {
    pub(super) fn state(&self) -> State {
        self.state.get()
    }

    /// Whether its body runs. Its resumer has it borrowed then, but a thread-local that it is in may be destroyed all the
    /// same: the thread, or the process, ends within the body.
    pub(super) fn is_running(&self) -> bool {
        // SAFETY: who starts it enters it at once.
        self.state.get() == State::Started && unsafe { self.entered.is_in_use() }
    }

    #[cold]
    #[track_caller]
    pub(super) fn refuse_if_over(&self) {
        assert!(self.state.get() != State::Over, "the generator is over");
    }

    /// Takes over where the body is suspended, if it was the generator itself that knew.
    pub(super) fn take_over(&self, plain: StackPointer) {
        if plain != nowhere_to_enter() {
            self.suspended_at.set(plain);
        }
    }

    /// Hands out where the plain way is to enter. That is nowhere if the body does not stand, or may hold references
    /// into thread-local storage that greenlets on the fast path do not find.
    pub(super) fn hand_out(&self) -> StackPointer {
        match self.suspended_at.get() {
            place if place.is_null() || self.storage_of.get().is_some() => nowhere_to_enter(),
            place => {
                self.suspended_at.set(ptr::null_mut());
                place
            }
        }
    }

    /// Whether the current greenlet finds the thread-local storage that the body has started in.
    pub(super) fn is_at_home(&self) -> bool {
        // SAFETY: the current greenlet is alive.
        let here = thread::existing_current().and_then(|me| storage_of(unsafe { me.as_ref() }));
        self.storage_of.get() == here
    }

    /// Gives an unstarted one a stack.
    pub(super) fn start(this: NonNull<Self>) -> Result<(), SwitchError> {
        // SAFETY: the caller has it, and the current greenlet is alive.
        let (block, me) = unsafe { (this.as_ref(), thread::current().as_ref()) };
        let thread = me.thread();
        if thread.is_ending() {
            return Err(SwitchError::ThreadEnding);
        }
        let stack = stacks::take(thread, block.class).map_err(SwitchError::Stack)?;
        thread.retain_weakly();
        block.thread.set(Some(NonNull::from(thread)));
        block.stack.set(Some(stack));
        block.storage_of.set(storage_of(me));
        block.state.set(State::Started);
        let owner = this.as_ptr().cast_const().cast();
        // SAFETY: the stack came from the pool.
        let start = unsafe { block.entered.lay_out(stack.guard(), stack.top(), owner, block.kind.run) };
        block.suspended_at.set(start);
        Ok(())
    }

    /// Drops a body that has not started, and with that ends the generator.
    pub(super) fn end_unstarted(this: NonNull<Self>) -> Result<(), Raised> {
        // SAFETY: the caller has it.
        let block = unsafe { this.as_ref() };
        block.state.set(State::Over);
        // SAFETY: it is the kind of this block.
        catch_unwind(AssertUnwindSafe(|| unsafe { (block.kind.drop_body)(this) }))
            .map_err(Raised::from_payload)
    }

    /// Marks it as over and gives its stack back, which runs: from here on that is only left.
    fn end(&self) {
        self.state.set(State::Over);
        self.suspended_at.set(ptr::null_mut());
        if let (Some(stack), Some(thread)) = (self.stack.take(), self.thread.get()) {
            // SAFETY: the thread's state is kept; and whoever stands on the stack leaves it before anybody takes one.
            unsafe { thread.as_ref().stacks().give_back(stack) };
        }
    }

    /// Gives its suspended body up for good.
    pub(super) fn leak(&self) {
        // SAFETY: it is suspended there.
        unsafe { self.entered.leak(self.suspended_at.get()) };
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.get() {
            // SAFETY: kept since the start.
            unsafe { thread.as_ref() }.release_weakly();
        }
    }
}

/// Whose own thread-local storage a greenlet finds, if it has some to itself.
fn storage_of(core: &Core) -> Option<u64> {
    (core.storage() != OwnStorage::No).then(|| core.id.get())
}
