//! A task in memory: what its handles, its body and the hub share, in one allocation.
//!
//! The types of the body and of the value are erased here. What is done with memory by hand is in
//! this file and in [`memory`]; neither knows how a task is run or ended.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use super::TaskError;
use super::rare::Rare;
use crate::hub::memory::{self, Size};
use crate::hub::{self, Count, Fiber, WaitQueue};

/// What is known of a task without its types. The hub's record comes first: the address of the one
/// is that of the other.
#[repr(C)]
pub(super) struct Shared {
    pub(super) fiber: Fiber,
    kind: &'static Kind,
    /// Who waits for the end.
    pub(super) waiting: WaitQueue,
    /// The number of its greenlet, and of the one that spawned it.
    pub(super) id: u64,
    pub(super) spawner: u64,
}

// With a body of one word that makes 72, which allocators hand out as it is.
const _: () = assert!(size_of::<Shared>() <= 64);

/// Where a task is in its life. The record's note has it, together with [`STARTED`] and [`TAKEN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stage(u8);

impl Stage {
    /// The body is there.
    const UNSTARTED: Self = Self(0);
    /// Nothing is there: the body runs, or is about to be dropped unrun.
    const RUNNING: Self = Self(1);
    /// The value is there, unless it was taken.
    const RETURNED: Self = Self(2);
    /// The error is there, unless it was taken: that of a kill, or another one.
    const KILLED: Self = Self(3);
    const FAILED: Self = Self(4);
}

/// The body has begun to run.
const STARTED: u16 = 1 << 8;
/// The value or the error has been moved out.
const TAKEN: u16 = 1 << 9;

/// What a body unwinds with.
type Payload = Box<dyn Any + Send>;

/// What differs from one type of task to another.
struct Kind {
    size: Size,
    /// Where the slot is.
    slot: usize,
    run: unsafe fn(NonNull<()>) -> Result<(), Payload>,
    drop_body: unsafe fn(NonNull<()>, &mut dyn FnMut()),
    drop_value: unsafe fn(NonNull<()>),
}

#[repr(C)]
struct Whole<F, T> {
    shared: Shared,
    slot: UnsafeCell<Slot<F, T>>,
}

/// The stage tells which of them is there, if any.
union Slot<F, T> {
    body: ManuallyDrop<F>,
    value: ManuallyDrop<T>,
    #[expect(dead_code, reason = "only makes room: an error is the same for all types")]
    error: ManuallyDrop<TaskError>,
}

impl Shared {
    #[inline]
    fn stage(&self) -> Stage {
        Stage(self.fiber.note.get().to_le_bytes()[0])
    }

    #[inline]
    fn set_stage(&self, stage: Stage) {
        self.fiber.note.set(self.fiber.note.get() & !0xff | u16::from(stage.0));
    }

    #[inline]
    fn is_noted(&self, mark: u16) -> bool {
        self.fiber.note.get() & mark != 0
    }

    #[inline]
    fn note(&self, mark: u16) {
        self.fiber.note.set(self.fiber.note.get() | mark);
    }

    #[inline]
    pub(super) fn has_ended(&self) -> bool {
        !matches!(self.stage(), Stage::UNSTARTED | Stage::RUNNING)
    }

    pub(super) fn is_unstarted(&self) -> bool {
        self.stage() == Stage::UNSTARTED
    }

    pub(super) fn has_started(&self) -> bool {
        self.is_noted(STARTED)
    }

    /// Whether there is anything to drop.
    #[inline]
    fn owns_something(&self) -> bool {
        let taken = self.is_noted(TAKEN) || self.stage() == Stage::RUNNING;
        !taken || self.fiber.has_seldom()
    }

    /// Whether it has ended without a panic; a kill is not one.
    pub(super) fn is_successful(&self) -> bool {
        matches!(self.stage(), Stage::RETURNED | Stage::KILLED)
    }

    /// What few tasks have, if this one has it.
    #[inline]
    pub(super) fn rare(&self) -> Option<&Rare> {
        self.fiber.above()
    }

    pub(super) fn rare_or_new(&self) -> &Rare {
        self.fiber.above_or_new()
    }
}

/// Keeps a task.
pub(super) type Counted = hub::Counted<Shared>;

impl Counted {
    /// A task that has not begun to run, with one count.
    #[inline]
    pub(super) fn new<F: FnOnce() -> T + 'static, T: 'static>(
        fiber: Fiber,
        id: u64,
        spawner: u64,
        body: F,
    ) -> Self {
        let kind: &'static Kind = const { &Kind::of::<F, T>() };
        let whole = memory::take(&kind.size).cast::<Whole<F, T>>();
        let shared = Shared { fiber, kind, waiting: WaitQueue::new(), id, spawner };
        let slot = UnsafeCell::new(Slot { body: ManuallyDrop::new(body) });
        // SAFETY: memory of this layout, which is nobody else's.
        unsafe { whole.write(Whole { shared, slot }) };
        // SAFETY: just made, with this count.
        unsafe { Self::from_raw(whole.cast()) }
    }

    /// The hub's record of the task, which is the task.
    pub(super) fn as_record(&self) -> *mut () {
        self.as_raw().as_ptr().cast()
    }

    /// One more count of the task of a record.
    ///
    /// # Safety
    ///
    /// It is from [`as_record`](Self::as_record), and the task is there.
    pub(super) unsafe fn of_record(record: NonNull<()>) -> Self {
        // SAFETY: the caller's word. The count that this is not is not given up, either.
        unsafe { ManuallyDrop::new(Self::from_raw(record.cast())).deref().clone() }
    }

    /// Calls the body; ends the task with its value, or returns what unwound it.
    #[inline]
    pub(super) fn run(&self) -> Result<(), Payload> {
        let slot = self.use_body();
        self.note(STARTED);
        // SAFETY: the body is there, and this is the last use of it.
        unsafe { (self.kind.run)(slot) }?;
        self.set_stage(Stage::RETURNED);
        Ok(())
    }

    /// Drops the body unrun, after a call of `first`, which finds the task without a body.
    pub(super) fn drop_body(&self, mut first: impl FnMut()) {
        let slot = self.use_body();
        // SAFETY: the body is there, and this is the last use of it.
        unsafe { (self.kind.drop_body)(slot, &mut first) };
    }

    fn use_body(&self) -> NonNull<()> {
        assert!(self.is_unstarted(), "a body is used once");
        self.set_stage(Stage::RUNNING);
        self.slot()
    }

    /// Ends a task that has no value. It has no body any more.
    pub(super) fn fail(&self, error: TaskError) {
        assert!(self.stage() == Stage::RUNNING, "a task ends once, and after its body");
        let stage = if error.is_killed() { Stage::KILLED } else { Stage::FAILED };
        // SAFETY: every slot has room for it, and there is nothing in this one.
        unsafe { self.slot().cast().write(error) };
        self.set_stage(stage);
    }

    /// The value or the error, once the task has ended.
    ///
    /// # Safety
    ///
    /// The task's value is a `T`, and nothing takes it while the reference lives.
    pub(super) unsafe fn result<T>(&self) -> Option<Result<&T, &TaskError>> {
        if self.is_noted(TAKEN) || !self.has_ended() {
            return None;
        }
        // SAFETY: the stage tells what is there; for the rest, the caller's word.
        unsafe {
            Some(match self.stage() {
                Stage::RETURNED => Ok(self.slot().cast().as_ref()),
                _ => Err(self.slot().cast().as_ref()),
            })
        }
    }

    /// Moves the value or the error out.
    ///
    /// # Safety
    ///
    /// The task's value is a `T`, and there is no reference to it or to the error.
    pub(super) unsafe fn take<T>(&self) -> Option<Result<T, TaskError>> {
        if !self.has_ended() || self.is_noted(TAKEN) {
            return None;
        }
        self.note(TAKEN);
        // SAFETY: the stage tells what is there, and the note makes this the last use; for the rest, the
        // caller's word.
        unsafe {
            Some(match self.stage() {
                Stage::RETURNED => Ok(self.slot().cast().read()),
                _ => Err(self.slot().cast().read()),
            })
        }
    }

    fn slot(&self) -> NonNull<()> {
        // SAFETY: every `Shared` is the beginning of a `Whole`.
        unsafe { self.as_raw().cast::<()>().byte_add(self.kind.slot) }
    }
}

// SAFETY: nobody else uses this field of a task's record.
unsafe impl Count for Shared {
    /// Handles, and one for the body until that has ended.
    #[inline]
    fn refs(&self) -> &Cell<u32> {
        &self.fiber.refs
    }

    #[inline]
    unsafe fn free(this: NonNull<Self>) {
        // SAFETY: still there.
        let shared = unsafe { this.as_ref() };
        // SAFETY: the caller's word.
        unsafe {
            if shared.owns_something() {
                drop_and_free(this);
            } else {
                memory::give_back(this.cast(), &shared.kind.size);
            }
        }
    }
}

/// Drops what there is of a task and gives its memory back, also if a destructor panics.
///
/// # Safety
///
/// As for [`Count::free`].
#[inline(never)]
unsafe fn drop_and_free(shared: NonNull<Shared>) {
    struct GiveBack(NonNull<Shared>, &'static Size);
    impl Drop for GiveBack {
        fn drop(&mut self) {
            // SAFETY: by the word given to `Count::free`.
            unsafe { memory::give_back(self.0.cast(), self.1) };
        }
    }
    // SAFETY: by the caller's word; the stage tells what is there.
    unsafe {
        let this = shared.as_ref();
        let (kind, stage, taken) = (this.kind, this.stage(), this.is_noted(TAKEN));
        let slot = shared.cast::<()>().byte_add(kind.slot);
        let _give_back = GiveBack(shared, &kind.size);
        ptr::drop_in_place(shared.as_ptr());
        match stage {
            _ if taken => {}
            Stage::UNSTARTED => (kind.drop_body)(slot, &mut || ()),
            Stage::RUNNING => {}
            Stage::RETURNED => (kind.drop_value)(slot),
            _ => slot.cast::<TaskError>().drop_in_place(),
        }
    }
}

impl Kind {
    const fn of<F: FnOnce() -> T, T>() -> Self {
        Self {
            size: Size::of::<Whole<F, T>>(),
            slot: mem::offset_of!(Whole<F, T>, slot),
            run: run::<F, T>,
            drop_body: drop_body::<F, T>,
            drop_value: drop_value::<F, T>,
        }
    }
}

/// # Safety
///
/// The slot holds the body, which is not used again.
unsafe fn run<F: FnOnce() -> T, T>(slot: NonNull<()>) -> Result<(), Payload> {
    let slot = slot.cast::<Slot<F, T>>().as_ptr();
    // Straight into its place: it may be large.
    // SAFETY: the caller's word; with the body moved out, the slot is free for the value.
    catch_unwind(AssertUnwindSafe(|| unsafe {
        let body = ManuallyDrop::take(&mut (*slot).body);
        (*slot).value = ManuallyDrop::new(body());
    }))
}

/// Moves the body out, calls `first`, and drops the body.
///
/// # Safety
///
/// The slot holds the body, which is not used again.
unsafe fn drop_body<F, T>(slot: NonNull<()>, first: &mut dyn FnMut()) {
    // SAFETY: the caller's word.
    let _body = unsafe { ManuallyDrop::take(&mut slot.cast::<Slot<F, T>>().as_mut().body) };
    first();
}

/// # Safety
///
/// The slot holds the value, which is not used again.
unsafe fn drop_value<F, T>(slot: NonNull<()>) {
    // SAFETY: the caller's word.
    unsafe { ManuallyDrop::drop(&mut slot.cast::<Slot<F, T>>().as_mut().value) };
}
