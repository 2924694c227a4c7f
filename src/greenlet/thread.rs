//! What the greenlets of one OS thread share.
//!
//! The [words] that a switch looks at are plain thread-locals. Everything else hangs off the
//! thread's state, which is made on first use, unwinds what is still suspended when the thread ends, and
//! goes away with the last control block that a forgotten handle keeps.

use std::cell::{Cell, RefCell};
use std::iter;
use std::ptr::{self, NonNull};

use super::arena::Arena;
use super::chore::Chore;
use super::core::Core;
use super::extras::OwnFloatControl;
use super::life::CAN_UNWIND;
use super::raised::Raised;
use super::stacks;
use super::standing::{Mark, Phase};
use super::storage::{OwnStorage, Storage};
use super::words::{self, Hold, Leaving, fast_current, slow_current};
use super::{counting, late, life, trace, unwind};
use crate::arch::FloatControl;
use crate::stack::overflow::{self, AlternateStack, Fault, Overflown};
use crate::stack::{Pool, SizeClass};
use crate::tls::{self, Base};

thread_local! {
    /// Unwinds the thread's greenlets when the thread ends.
    static AT_EXIT: AtExit = const { AtExit };
}

/// What is asked of a scheduler.
pub(crate) struct Scheduler {
    /// Picks who continues where nobody else does: a greenlet that is ready to be switched to with [`Wake`]; or says
    /// what to raise in the root. What it says does not count where somebody has begun to unwind the current greenlet
    /// meanwhile.
    pub(crate) pick: fn() -> Result<NonNull<Core>, Raised>,
    /// Is told of a greenlet that it had suspended and that runs now, before anything does so on its stack. It may
    /// be somebody else's doing.
    pub(crate) runs: fn(&Core),
}

/// State of one OS thread.
pub(crate) struct Thread {
    _alternate_stack: Option<AlternateStack>,
    arena: Arena,
    stacks: Pool,
    /// The block in which a stack was left, or that runs on it again. See [`stacks`].
    pub(super) rested: Cell<Option<NonNull<Core>>>,
    pub(crate) storage: Storage,
    root: Cell<Option<NonNull<Core>>>,
    next_id: Cell<u64>,
    /// What the side that lands has to do for the side that left.
    pub(crate) chore: Cell<Option<Chore>>,
    /// Who is told of every switch.
    hook: RefCell<Option<trace::Hook>>,
    /// Every switch is slow: there is a hook, or the thread is ending.
    slow: Cell<bool>,
    /// The floating-point control words that greenlets share, while the current one has its own.
    float_control: Cell<Option<FloatControl>>,
    /// Who continues when the current greenlet ends, in place of its parent.
    pub(crate) successor: Cell<Option<NonNull<Core>>>,
    /// What schedules its greenlets, once there is something.
    pub(crate) scheduler: Cell<Option<&'static Scheduler>>,
    /// How many weak handles refer to blocks of this thread; once it has ended, the blocks in use
    /// count, too.
    keepers: Cell<usize>,
    ending: Cell<bool>,
    ended: Cell<bool>,
}

/// The current greenlet; makes the thread's state where there is none yet.
#[inline]
pub(crate) fn current() -> NonNull<Core> {
    NonNull::new(fast_current().cast_mut()).unwrap_or_else(current_or_new)
}

#[cold]
fn current_or_new() -> NonNull<Core> {
    NonNull::new(slow_current().cast_mut()).unwrap_or_else(Thread::create)
}

/// The current greenlet, if the thread ever used one; makes nothing.
pub(crate) fn existing_current() -> Option<NonNull<Core>> {
    NonNull::new(fast_current().cast_mut()).or(NonNull::new(slow_current().cast_mut()))
}

/// An unstarted greenlet, with one count for the caller. Without a parent it is a child of the current
/// one.
#[inline]
pub(crate) fn new_greenlet(parent: Option<NonNull<Core>>, class: SizeClass) -> NonNull<Core> {
    match NonNull::new(fast_current().cast_mut()) {
        Some(current) => {
            // SAFETY: the current greenlet is alive.
            new_child(parent.unwrap_or(current), unsafe { current.as_ref() }, class)
        }
        None => new_greenlet_slowly(parent, class),
    }
}

/// As [`new_greenlet`], for a caller that knows who is current.
#[inline]
fn new_child(parent: NonNull<Core>, current: &Core, class: SizeClass) -> NonNull<Core> {
    let thread = current.thread();
    if trace::is_global() {
        return new_greenlet_slowly(Some(parent), class);
    }
    match thread.arena.take_last(class) {
        Some(core) => thread.occupy(core, Some(parent)),
        None => thread.new_greenlet(Some(parent), class),
    }
}

/// As [`new_greenlet`], where something has to be made or noticed first.
#[cold]
#[inline(never)]
fn new_greenlet_slowly(parent: Option<NonNull<Core>>, class: SizeClass) -> NonNull<Core> {
    notice_global_hook();
    let current = current();
    // SAFETY: the current greenlet is alive.
    unsafe { current.as_ref() }.thread().new_greenlet(Some(parent.unwrap_or(current)), class)
}

impl Thread {
    #[cold]
    fn create() -> NonNull<Core> {
        let thread = Box::new(Thread {
            _alternate_stack: overflow::watch_thread(overflown),
            arena: Arena::new(),
            stacks: Pool::new(),
            rested: Cell::new(None),
            storage: Storage::default(),
            root: Cell::new(None),
            next_id: Cell::new(0),
            chore: Cell::new(None),
            hook: RefCell::new(None),
            slow: Cell::new(false),
            float_control: Cell::new(None),
            successor: Cell::new(None),
            scheduler: Cell::new(None),
            keepers: Cell::new(0),
            ending: Cell::new(false),
            ended: Cell::new(false),
        });
        let thread = NonNull::from(Box::leak(thread));
        // SAFETY: just made, and freed by `free_if_unused` only.
        let this = unsafe { thread.as_ref() };
        let root = this.new_greenlet(None, SizeClass::DEFAULT);
        // SAFETY: just made, and kept by the count that it was born with.
        unsafe { root.as_ref() }.standing.set_phase(Phase::Active);
        this.root.set(Some(root));
        // Where the thread's locals are being destroyed already, nothing will be unwound, and
        // nothing new may start.
        if AT_EXIT.try_with(|_| ()).is_err() {
            this.ending.set(true);
            this.slow.set(true);
            late::end_late(thread);
        }
        this.make_current(root);
        this.notice_hooks();
        root
    }

    /// An unstarted greenlet, with one count for the caller.
    #[inline(never)]
    fn new_greenlet(&self, parent: Option<NonNull<Core>>, class: SizeClass) -> NonNull<Core> {
        let core = self.arena.take().unwrap_or_else(|| self.grow_arena());
        // SAFETY: the arena keeps it.
        stacks::set_class(unsafe { core.as_ref() }, class);
        self.occupy(core, parent)
    }

    #[cold]
    fn grow_arena(&self) -> NonNull<Core> {
        words::without_waiting(|| self.arena.grow(NonNull::from(self)));
        self.arena.take().expect("a chunk has blocks")
    }

    /// Makes an unstarted greenlet of a vacant block, which is for its class of stacks, with one count for the caller.
    #[inline(always)]
    fn occupy(&self, core: NonNull<Core>, parent: Option<NonNull<Core>>) -> NonNull<Core> {
        if let Some(parent) = parent {
            counting::retain(parent);
        }
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        // SAFETY: the arena keeps it.
        unsafe { core.as_ref() }.occupy(id, parent);
        core
    }

    /// The root greenlet: the thread's own stack.
    pub(crate) fn root(&self) -> NonNull<Core> {
        self.root.get().expect("a thread's state is made together with its root")
    }

    /// Makes `core` the current greenlet, and lets the next switch be fast if it may. If it has other
    /// thread-local storage than what is in force, returns the base that the switch to it must load.
    #[inline]
    pub(crate) fn make_current(&self, core: NonNull<Core>) -> Option<Base> {
        // SAFETY: what becomes current is alive.
        let block = unsafe { core.as_ref() };
        if block.extras().is_some() || self.float_control.get().is_some() {
            self.exchange_float_control(block);
        }
        let place = self.storage.cross_to(block);
        // In the thread's own storage, the panic of somebody who has storage of its own does not show.
        let plain = block.refs.get() > 0
            && !self.slow.get()
            && self.float_control.get().is_none()
            && !(cfg!(own_tls) && words::held() == Hold::Destructors);
        let leaving = match block.storage() {
            _ if !plain => Leaving::Slow,
            OwnStorage::No => Leaving::Fast,
            OwnStorage::Wanted | OwnStorage::Has(_) => Leaving::Across,
        };
        match place {
            Some(place) => place.words().set_current(block, leaving),
            None => words::with(|words| words.set_current(block, leaving)),
        }
        place.map(|place| place.base)
    }

    /// Puts the floating-point control words of `next` in force, where it or the current greenlet has
    /// some of its own.
    #[cold]
    fn exchange_float_control(&self, next: &Core) {
        // SAFETY: the current greenlet is alive.
        let current = existing_current().map(|current| unsafe { current.as_ref() });
        if current.is_some_and(|current| ptr::eq(current, next)) {
            return;
        }
        let in_force = FloatControl::save();
        let shared = self.float_control.take().unwrap_or(in_force);
        if let Some(extras) = current.filter(|current| current.has_float_control()).and_then(Core::extras) {
            extras.float_control.set(OwnFloatControl::Saved(in_force));
        }
        match next.extras().map_or(OwnFloatControl::No, |extras| extras.float_control.get()) {
            OwnFloatControl::No => return shared.load(),
            OwnFloatControl::Inherited => {}
            OwnFloatControl::Saved(own) => own.load(),
        }
        self.float_control.set(Some(shared));
    }

    /// Whether anybody is told of switches on this thread.
    #[inline]
    pub(crate) fn is_traced(&self) -> bool {
        self.slow.get() && (trace::is_global() || self.hook.borrow().is_some())
    }

    pub(crate) fn hook(&self) -> Option<trace::Hook> {
        self.hook.borrow().clone()
    }

    /// Sets who is told of every switch, and returns who was.
    pub(crate) fn set_hook(&self, hook: Option<trace::Hook>) -> Option<trace::Hook> {
        let old = self.hook.replace(hook);
        self.notice_hooks();
        old
    }

    /// Looks whether hooks have come or gone, that of the process among them.
    #[cold]
    #[inline(never)]
    pub(crate) fn notice_hooks(&self) {
        self.slow.set(self.ending.get() || self.hook.borrow().is_some() || trace::is_global());
        self.look_again();
    }

    /// Looks again whether the next switch may be fast: the current greenlet's count has reached
    /// zero or left it, or a hook has come or gone.
    pub(crate) fn look_again(&self) {
        self.make_current(current());
    }

    #[inline]
    pub(crate) fn stacks(&self) -> &Pool {
        &self.stacks
    }

    /// Whether the thread is ending, so that nothing new may start.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    /// Whether the OS thread has ended, so that each block that is freed is one keeper less.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Makes a block ready for its next greenlet, on a thread that has not ended.
    ///
    /// # Safety
    ///
    /// The block is one of this thread's, and nobody uses it any more.
    #[inline]
    pub(crate) unsafe fn recycle_core(&self, core: NonNull<Core>) {
        debug_assert!(!self.has_ended());
        // SAFETY: the caller's word.
        unsafe { self.arena.give_back(core) };
    }

    /// As [`recycle_core`](Self::recycle_core), on any thread.
    ///
    /// # Safety
    ///
    /// The same. If the thread has ended, nobody may use `self` afterwards, unless something else keeps
    /// it.
    pub(crate) unsafe fn free_core(&self, core: NonNull<Core>) {
        // SAFETY: the caller's word.
        unsafe { self.arena.give_back(core) };
        if self.has_ended() {
            self.release();
        }
    }

    pub(crate) fn retain_weakly(&self) {
        self.keepers.set(self.keepers.get() + 1);
    }

    /// Nobody may use `self` afterwards, unless something else keeps it.
    pub(crate) fn release_weakly(&self) {
        self.release();
    }

    /// One keeper less. Frees the state of an ended thread with the last one.
    #[cold]
    fn release(&self) {
        self.keepers.set(self.keepers.get() - 1);
        if self.ended.get() && self.keepers.get() == 0 {
            // What was never started, and kept a stack, may have come to its end since.
            stacks::give_back_rested(self);
            // SAFETY: the state was leaked by `create`, no control block refers to it, and the
            // thread-locals that did are null.
            drop(unsafe { Box::from_raw(ptr::from_ref(self).cast_mut()) });
        }
    }

    /// Unwinds the suspended greenlets that the predicate picks. The root is the caller.
    fn unwind_suspended(&self, pick: impl Fn(&Core) -> bool) {
        if !CAN_UNWIND {
            return;
        }
        // Each round ends what there is; destructors may have made more.
        loop {
            let mut place = 0;
            let mut found = false;
            while let Some(core) = self.arena.find(&mut place, |core| self.is_left(core) && pick(core)) {
                found = true;
                self.unwind_on_the_way_to(core);
            }
            if !found {
                return;
            }
        }
    }

    /// Whether a greenlet is suspended and may be continued. The root is the caller.
    fn is_left(&self, core: &Core) -> bool {
        core.standing.phase() == Phase::Active
            && !core.standing.has(Mark::Abandoned)
            && NonNull::from(core) != self.root()
    }

    /// Unwinds a suspended greenlet. If somebody waits for it to be unwound already, that one comes first, or
    /// whoever waits for that.
    fn unwind_on_the_way_to(&self, core: NonNull<Core>) {
        // SAFETY: found in use, and who unwinds somebody is alive.
        let unwinder = |core: NonNull<Core>| unsafe { core.as_ref() }.unwinder();
        let up = |core: &NonNull<Core>| unwinder(*core).filter(|unwinder| *unwinder != self.root());
        let chain = || iter::successors(Some(core), up);
        // If they wait for each other, two who go along the chain at different speeds meet.
        let met = chain().step_by(2).zip(chain()).skip(1).find(|(fast, slow)| fast == slow);
        let first = met.map(|(fast, _)| fast).or_else(|| chain().last()).unwrap_or(core);
        match unwinder(first) {
            None => unwind::unwind_for_end(first),
            // SAFETY: who waits is suspended, and is not the root.
            Some(_) => unsafe { unwind::abandon_for_end(first) },
        }
    }

    /// Unwinds every suspended greenlet, then lets go of the root.
    pub(super) fn end(&self) {
        self.ending.set(true);
        self.slow.set(true);
        // From here on no switch is fast: the slow path refuses them.
        self.look_again();
        let root = self.root();
        if current() != root {
            // The process exits from within a greenlet: the stacks of all others, the root's
            // among them, are part of what it is leaving behind.
            let suspended =
                |core: &Core| core.standing.phase() == Phase::Active && NonNull::from(core) != current();
            let mut place = 0;
            while let Some(core) = self.arena.find(&mut place, suspended) {
                // SAFETY: found in use, neither dead nor current, so suspended.
                unsafe { core.as_ref().continuation.leak() };
            }
            return;
        }
        // std has taken its own away by now, and destructors may overflow.
        let _alternate_stack = AlternateStack::unless_present();
        self.unwind_suspended(|_| true);
        // SAFETY: the root lives until it is released below.
        life::end_locals(unsafe { root.as_ref() });
        // It may have handles, and they would keep this state, which keeps the hook.
        // SAFETY: as above.
        life::quietly(unsafe { root.as_ref() }, || drop(self.hook.take()));
        // A handle that was forgotten keeps this state, but not the stacks that nobody stands on.
        stacks::give_back_rested(self);
        self.stacks.clear();
        self.root.set(None);
        words::with(|words| {
            words.fast.set(ptr::null());
            words.slow.set(ptr::null());
        });
        self.keepers.set(self.keepers.get() + self.arena.in_use());
        self.ended.set(true);
        self.arena.for_each(|core| core.standing.set(Mark::Orphaned, true));
        // SAFETY: the root's own count is given up; handles keep the block alive if there are any.
        unsafe { root.as_ref() }.standing.set_phase(Phase::Dead);
        counting::release(root);
    }
}

/// Lets the thread's switches tell the hook that another thread has set for the process, if there is
/// one. To look for it at each switch would make all of them slower.
#[inline]
pub(crate) fn notice_global_hook() {
    if trace::is_global() {
        // SAFETY: the current greenlet is alive.
        unsafe { current().as_ref() }.thread().notice_hooks();
    }
}

/// Calls with the thread's own thread-local storage in force, which all of its greenlets share but those
/// that have some of their own. What the call does must neither panic nor ask who is current.
#[inline]
pub(crate) fn on_thread<R>(call: impl FnOnce() -> R) -> R {
    if fast_current().is_null() { on_thread_slowly(call) } else { call() }
}

fn on_thread_slowly<R>(call: impl FnOnce() -> R) -> R {
    // SAFETY: the current greenlet is alive.
    let elsewhere = existing_current().and_then(|core| unsafe { core.as_ref() }.thread().storage.elsewhere());
    match elsewhere {
        // SAFETY: the thread's own storage is nobody else's, and the caller's word.
        Some(base) => unsafe { tls::on_base(base, call) },
        None => call(),
    }
}

/// Whether the thread runs on its own stack.
pub(crate) fn current_is_root() -> bool {
    // SAFETY: the current greenlet is alive.
    existing_current().is_none_or(|core| unsafe { core.as_ref() }.thread().root() == core)
}

/// Looks at every greenlet of this thread that is not dead.
pub(crate) fn for_each(mut look: impl FnMut(&Core)) {
    // SAFETY: the current greenlet is alive.
    let thread = unsafe { current().as_ref() }.thread();
    let look = |core: &Core| {
        look(core);
        false
    };
    // If others ran, they might make some and end some.
    words::without_waiting(|| thread.arena.find(&mut 0, look));
}

/// Ends all greenlets that the predicate picks: those that never started first, then the
/// suspended ones. The caller is the root, and gives up the counts of what never started.
pub(crate) fn end_all(pick: impl Fn(&Core) -> bool) {
    // SAFETY: the current greenlet is alive.
    let thread = unsafe { current().as_ref() }.thread();
    let unstarted = |core: &Core| {
        core.standing.phase() == Phase::Unstarted && !core.standing.has(Mark::Abandoned) && pick(core)
    };
    let mut place = 0;
    while let Some(core) = thread.arena.find(&mut place, unstarted) {
        // SAFETY: found in use.
        life::end_unstarted(unsafe { core.as_ref() });
        counting::release(core);
    }
    thread.unwind_suspended(pick);
}

/// Unwinds every suspended greenlet of this thread, tasks included: what the end of the thread does,
/// at a moment of the caller's choice. One that refuses is leaked.
///
/// That moment matters where greenlets hold references into thread-locals: at the end of a thread,
/// thread-locals that were first used after its first greenlet are gone already.
///
/// # Panics
///
/// If it is not the root greenlet that calls.
pub fn unwind_all() {
    assert!(current_is_root(), "only the root greenlet can unwind all others");
    if let Some(root) = existing_current() {
        // SAFETY: the current greenlet is alive.
        unsafe { root.as_ref() }.thread().unwind_suspended(|_| true);
    }
}

/// Gives the memory of this thread's unused stacks back to the system.
///
/// That happens by itself some time after a peak; this is for a program that knows its peak is over.
pub fn trim_stacks() {
    if let Some(core) = existing_current() {
        // SAFETY: the current greenlet is alive.
        let thread = unsafe { core.as_ref() }.thread();
        stacks::give_back_rested(thread);
        thread.stacks().trim();
    }
}

struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        if let Some(core) = existing_current() {
            // SAFETY: the current greenlet is alive.
            unsafe { core.as_ref() }.thread().end();
        }
    }
}

/// Whose stack a fault is the overflow of. Called from a signal handler.
fn overflown(fault: &Fault) -> Option<Overflown> {
    // SAFETY: the current greenlet is alive.
    let current = unsafe { existing_current()?.as_ref() };
    let thread = current.thread();
    let stack = thread.stacks.stack_around(fault.address).filter(|stack| fault.is_in_guard_of(*stack))?;
    let is_on_it = |core: &Core| core.stack.get().is_some_and(|its| its.guard() == stack.guard());
    let report = |core: &Core, in_generator| {
        Some(Overflown { stack, id: core.id.get(), name: core.name().map(NonNull::from), in_generator })
    };
    if is_on_it(current) {
        return report(current, false);
    }
    // Where the stack pointer is tells an overflow from a write beyond the end of the neighbouring stack.
    if !(fault.is_near_the_stack_pointer() && fault.ran_on(stack)) {
        return None;
    }
    // In the middle of a switch it is the next greenlet that is current.
    match thread.arena.find(&mut 0, is_on_it) {
        // SAFETY: found in use.
        Some(left) => report(unsafe { left.as_ref() }, false),
        None => report(current, true),
    }
}
