//! The control block of a greenlet.
//!
//! Two cache lines, dense in an [arena](super::arena): the first one is what a switch touches.
//! Blocks are counted by hand: a handle, a child's parent link and the hub each hold one
//! count. What *runs* needs no count, so a count of zero means "unwind it" for a suspended
//! greenlet and "unwind it when it is left" for the current one.

use std::cell::{Cell, UnsafeCell};
use std::mem::{self, MaybeUninit};
use std::ptr::{self, NonNull};

use super::context::Context;
use super::extras::{Extras, OwnFloatControl};
use super::life;
use super::standing::{Mark, Phase, Standing};
use super::storage::OwnStorage;
use super::tag::Tag;
use super::thread::Thread;
use crate::arch::{Continuation, Entry, ParentLink};
use crate::stack::{SizeClass, Stack};

#[repr(C, align(64))]
pub(crate) struct Core {
    /// Where it continues, while it is suspended.
    pub(crate) continuation: Continuation,
    /// The type of value its pending switch returns. What runs keeps that of its last
    /// suspension, which saves the fast path a store.
    pub(crate) waits_for: Cell<Tag>,
    /// What it waits for in words, where the floor above says so.
    pub(crate) waits_on: Cell<&'static str>,
    /// Counted. `None` for a thread's root only.
    pub(crate) parent: Cell<Option<NonNull<Core>>>,
    pub(crate) refs: Cell<u32>,
    pub(crate) standing: Standing,
    pub(crate) class: Cell<SizeClass>,
    /// Somebody has begun to unwind it since this was last taken.
    pub(crate) is_newly_unwound: Cell<bool>,
    /// A word for the floor above: the hub's record of this greenlet.
    pub(crate) record: Cell<*mut ()>,
    thread: NonNull<Thread>,

    pub(crate) id: Cell<u64>,
    /// Who waits for this greenlet to be unwound, and continues in place of the parent when it ends.
    unwinder: Cell<Option<NonNull<Core>>>,
    pub(crate) stack: Cell<Option<Stack>>,
    body: Cell<Option<&'static BodyType>>,
    body_storage: UnsafeCell<Inline>,
    extras: UnsafeCell<Option<Box<Extras>>>,
}

// A build with a sanitizer has more to remember of each.
const _: () = assert!(size_of::<Core>() == 128 || size_of::<Continuation>() > size_of::<usize>());
const _: () = assert!(mem::offset_of!(Core, continuation) == 0, "where backtraces look for it");

/// Bodies up to this size live in the control block, larger ones in a box.
type Inline = [MaybeUninit<usize>; 3];

/// What is known of a body whose type was erased.
pub(crate) struct BodyType {
    /// The type of value it takes and returns.
    pub(crate) value: Tag,
    /// Moves the body out, runs it and routes the outcome.
    pub(crate) run: Entry,
    drop: unsafe fn(*mut ()),
}

impl Core {
    /// A block in which there is no greenlet.
    pub(crate) fn vacant(thread: NonNull<Thread>, class: SizeClass) -> Self {
        Self {
            continuation: Continuation::new(),
            waits_for: Cell::new(Tag::NOTHING),
            waits_on: Cell::new(""),
            parent: Cell::new(None),
            refs: Cell::new(0),
            standing: Standing::new(Phase::Dead),
            class: Cell::new(class),
            is_newly_unwound: Cell::new(false),
            record: Cell::new(ptr::null_mut()),
            thread,
            id: Cell::new(0),
            unwinder: Cell::new(None),
            stack: Cell::new(None),
            body: Cell::new(None),
            body_storage: UnsafeCell::new([MaybeUninit::uninit(); 3]),
            extras: UnsafeCell::new(None),
        }
    }

    /// Makes an unstarted greenlet of a block, with one count. What is not set here is as in a vacant
    /// block already.
    #[inline]
    pub(crate) fn occupy(&self, id: u64, parent: Option<NonNull<Core>>) {
        debug_assert!(self.record.get().is_null(), "the floor above takes its record back");
        // In the order in which they lie: see `switch.s` on stores.
        self.parent.set(parent);
        self.refs.set(1);
        self.standing.set_plainly(Phase::Unstarted);
        self.id.set(id);
    }

    /// What a dead greenlet may still own besides its parent.
    ///
    /// # Safety
    ///
    /// Nobody has a reference into the block but the caller.
    pub(crate) unsafe fn take_extras(&self) -> Option<Box<Extras>> {
        self.standing.set(Mark::Furnished, false);
        // SAFETY: the caller's word.
        unsafe { (*self.extras.get()).take() }
    }

    #[inline]
    pub(crate) fn thread(&self) -> &Thread {
        // SAFETY: a thread's state outlives its control blocks (see `Thread::free_core`).
        unsafe { self.thread.as_ref() }
    }

    #[inline]
    pub(crate) fn parent(&self) -> Option<&Core> {
        // SAFETY: the link is counted, so the parent outlives it.
        self.parent.get().map(|parent| unsafe { parent.as_ref() })
    }

    /// What backtraces follow from this greenlet's stack.
    #[inline]
    pub(crate) fn parent_link(&self) -> ParentLink {
        self.parent.as_ptr().cast_const().cast()
    }

    /// Who waits for just this greenlet's end, unless it was abandoned meanwhile.
    pub(crate) fn unwinder(&self) -> Option<NonNull<Core>> {
        // SAFETY: an unwinder waits, and is counted until it goes on.
        self.unwinder.get().filter(|unwinder| !unsafe { unwinder.as_ref() }.standing.has(Mark::Abandoned))
    }

    pub(crate) fn set_unwinder(&self, unwinder: Option<NonNull<Core>>) {
        self.unwinder.set(unwinder);
        self.is_newly_unwound.set(unwinder.is_some());
        self.standing.set(Mark::Unwound, unwinder.is_some());
    }

    /// It is never continued any more. Nothing suits it from now on, so the fast path need not ask.
    pub(crate) fn abandon(&self) {
        self.standing.set(Mark::Abandoned, true);
        self.waits_for.set(Tag::NOTHING);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.standing.phase() == Phase::Dead
    }

    #[inline]
    pub(crate) fn extras(&self) -> Option<&Extras> {
        // SAFETY: once made they stay until `take_extras`, when nobody looks at the block any more.
        unsafe { (*self.extras.get()).as_deref() }
    }

    pub(crate) fn extras_or_new(&self) -> &Extras {
        self.extras().unwrap_or_else(|| self.make_extras())
    }

    #[cold]
    fn make_extras(&self) -> &Extras {
        let made = Box::<Extras>::default();
        // An allocator that waited has made the hub look for them, too, and keep something there.
        if self.extras().is_none() {
            // SAFETY: nobody has a reference to extras that are not there.
            unsafe { *self.extras.get() = Some(made) };
            self.standing.set(Mark::Furnished, true);
        }
        self.extras().expect("made by somebody")
    }

    /// Whether it has floating-point control words of its own.
    pub(crate) fn has_float_control(&self) -> bool {
        self.extras().is_some_and(|extras| !matches!(extras.float_control.get(), OwnFloatControl::No))
    }

    /// Whether it has thread-local storage of its own.
    #[inline]
    pub(crate) fn storage(&self) -> OwnStorage {
        self.extras().map_or(OwnStorage::No, |extras| extras.storage.get())
    }

    /// What it waits under for a T: this decides who may continue it, and how.
    pub(crate) fn tag<T: 'static>(&self) -> Tag {
        match self.storage() {
            _ if self.has_float_control() => Tag::slow::<T>(),
            OwnStorage::No => Tag::of::<T>(),
            OwnStorage::Wanted | OwnStorage::Has(_) => Tag::apart::<T>(),
        }
    }

    /// Gives a new greenlet what few have.
    #[cold]
    pub(crate) fn furnish(
        &self,
        name: Option<Box<str>>,
        context: Context,
        float_control: OwnFloatControl,
        storage: OwnStorage,
    ) {
        let extras = self.extras_or_new();
        extras.float_control.set(float_control);
        extras.storage.set(storage);
        if let Some(name) = name {
            extras.name.set(name).unwrap_or_else(|_| unreachable!("a new greenlet has no name"));
        }
        extras.context.replace(context);
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.extras()?.name.get().map(|name| &**name)
    }

    pub(crate) fn body(&self) -> Option<&'static BodyType> {
        self.body.get()
    }

    /// Puts a body in place; there is none yet.
    #[inline]
    pub(crate) fn set_body<F>(&self, body: F, body_type: &'static BodyType) {
        debug_assert!(self.body.get().is_none());
        let storage = self.body_storage.get();
        // SAFETY: without a body nobody looks at the storage. It is large enough and aligned for an F,
        // or for the address of one.
        unsafe {
            if fits_inline::<F>() {
                storage.cast::<F>().write(body);
            } else {
                storage.cast::<usize>().write(Box::into_raw(Box::new(body)).expose_provenance());
            }
        }
        self.body.set(Some(body_type));
    }

    /// Moves the body out.
    ///
    /// # Safety
    ///
    /// There is a body, and it is an `F`.
    #[inline]
    pub(crate) unsafe fn take_body<F>(&self) -> F {
        self.body.set(None);
        let storage = self.body_storage.get();
        // SAFETY: `set_body` wrote an F there, or the address of a boxed one, by the caller's word.
        unsafe {
            if fits_inline::<F>() {
                storage.cast::<F>().read()
            } else {
                *Box::from_raw(ptr::with_exposed_provenance_mut::<F>(storage.cast::<usize>().read()))
            }
        }
    }

    /// Drops the body of a greenlet that never starts, if it has one.
    pub(crate) fn drop_body(&self) {
        if let Some(body) = self.body.take() {
            // The body may look at its own greenlet as it is dropped, so it is moved out first.
            // SAFETY: without a body nobody looks at the storage.
            let mut storage = unsafe { self.body_storage.get().read() };
            // SAFETY: the storage holds a body of that type, and `take` made this the last use.
            unsafe { (body.drop)(storage.as_mut_ptr().cast()) };
        }
    }
}

impl BodyType {
    /// Of a body that is given a T and returns one.
    pub(crate) const fn returning<T: 'static, F: FnOnce(T) -> T>() -> Self {
        Self { value: Tag::of::<T>(), run: life::run::<T, F>, drop: drop_stored::<F> }
    }
}

const fn fits_inline<F>() -> bool {
    size_of::<F>() <= size_of::<Inline>() && align_of::<F>() <= align_of::<Inline>()
}

/// # Safety
///
/// `storage` holds an F as `set_body` stores it, which is not used again.
unsafe fn drop_stored<F>(storage: *mut ()) {
    if fits_inline::<F>() {
        // SAFETY: the caller's word.
        unsafe { ptr::drop_in_place(storage.cast::<F>()) };
    } else {
        // SAFETY: the caller's word; the storage begins with the address of a boxed F.
        drop(unsafe { Box::from_raw(ptr::with_exposed_provenance_mut::<F>(storage.cast::<usize>().read())) });
    }
}
