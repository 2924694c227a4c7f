//! Whose thread-local storage is in force: the thread's own, which most greenlets share, or a block that
//! one of them has to itself.
//!
//! Storage belongs to a greenlet from its first instruction to its last. Each frame of it finds the same,
//! because storage is exchanged together with the stack, in the middle of a switch.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use super::core::Core;
use super::thread::current;
use super::words::{self, Hold, Leaving, Words};
use crate::tls::{Base, Block, Pool};

/// The storage of one OS thread.
#[derive(Default)]
pub(crate) struct Storage {
    pool: Pool,
    /// The block in force; `None` while it is the thread's own storage.
    in_force: Cell<Option<Block>>,
    /// The thread's own storage, once there is other.
    own: Cell<Option<Place>>,
}

/// Whether a greenlet has thread-local storage of its own.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum OwnStorage {
    /// It shares that of its thread.
    #[default]
    No,
    /// It will, when it starts.
    Wanted,
    /// This.
    Has(Own),
}

/// A block, and where what matters is in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Own {
    block: Block,
    place: Place,
}

/// A copy of thread-local storage, and this crate's words in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) base: Base,
    words: NonNull<Words>,
}

impl Place {
    pub(super) fn words(&self) -> &Words {
        // SAFETY: the words are in storage that lives as long as its user: its thread, or for ever.
        unsafe { self.words.as_ref() }
    }

    /// Makes the words right for a greenlet that is about to be current here.
    #[inline(always)]
    fn enter(self, next: &Core, leaving: Leaving) -> Option<Self> {
        self.words().carry_over();
        self.words().set_current(next, leaving);
        Some(self)
    }
}

/// Whether greenlets of which nothing is said have storage of their own.
static OWN_BY_DEFAULT: AtomicBool = AtomicBool::new(false);

/// Decides, for the whole process, whether greenlets have thread-local storage of their own from now on
/// where their [builder](crate::Builder::own_tls) says nothing of it: tasks and all others that
/// are made after the call, by whatever function. At first they share that of their thread.
///
/// It is for a program, or for what makes code cooperative that was written for threads, as
/// `greenlet-monkey` does. A library that needs it says so with the builder.
///
/// # Errors
///
/// If greenlets cannot have that here. Then nothing has changed.
///
/// ```
/// use greenlet::{Greenlet, set_own_tls_by_default};
///
/// if set_own_tls_by_default(true).is_ok() {
///     let here = std::thread::current().id();
///     let g = Greenlet::new(move |()| assert_ne!(std::thread::current().id(), here));
///     g.switch(());
///     let sharing = Greenlet::builder().shared_tls();
///     sharing.build(move |()| assert_eq!(std::thread::current().id(), here)).switch(());
/// }
/// ```
#[cfg(feature = "own-tls")]
pub fn set_own_tls_by_default(on: bool) -> Result<(), crate::tls::OwnTlsError> {
    if on {
        crate::tls::probe()?;
    }
    OWN_BY_DEFAULT.store(on, Ordering::Relaxed);
    Ok(())
}

impl OwnStorage {
    /// That of a new greenlet of which nothing is said.
    #[inline]
    pub(crate) fn by_default() -> Self {
        if cfg!(own_tls) && OWN_BY_DEFAULT.load(Ordering::Relaxed) { Self::Wanted } else { Self::No }
    }

    #[inline]
    fn own(self) -> Option<Own> {
        match self {
            Self::Has(own) => Some(own),
            Self::No | Self::Wanted => None,
        }
    }
}

impl Storage {
    /// Gives a greenlet that is about to start the storage it wants.
    pub(super) fn furnish(&self, core: &Core) {
        let Some(extras) = core.extras() else { return };
        if extras.storage.get() != OwnStorage::Wanted {
            return;
        }
        if self.own.get().is_none() {
            // Nobody has had any before, so what is in force is the thread's own.
            // SAFETY: asks for a place.
            let words = unsafe { NonNull::new_unchecked((words::ANCHOR.locate)().cast_mut().cast()) };
            self.own.set(Some(Place { base: Base::in_force(), words }));
        }
        let words_at = |anchor: *const ()| NonNull::new(anchor.cast_mut().cast::<Words>()).expect("a place");
        // A signal handler may look at them as the block is renewed. What is there is about what is gone.
        let foresee = |anchor| {
            // SAFETY: in a block that nobody else has, and that lives for ever; what is current is alive.
            let (words, current) = unsafe { (words_at(anchor).as_ref(), current().as_ref()) };
            words.carry_over();
            words.set_current(current, Leaving::Slow);
        };
        let block = self.pool.take(words::ANCHOR, foresee);
        let words = words_at(block.anchor());
        let place = Place { base: block.base(), words };
        extras.storage.set(OwnStorage::Has(Own { block, place }));
    }

    /// Decides on the storage of `next`, which is about to be current. Where that is not what is in force,
    /// the switch has to load its base, and the words in it are right but for who is current.
    #[inline]
    pub(super) fn cross_to(&self, next: &Core) -> Option<Place> {
        let own = next.storage().own();
        let block = own.map(|own| own.block);
        if block == self.in_force.get() {
            return None;
        }
        self.in_force.set(block);
        let place = own.map_or_else(|| self.threads_own(), |own| own.place);
        place.words().carry_over();
        Some(place)
    }

    /// As [`cross_to`](Self::cross_to), for who has storage to itself, and is no other than the current
    /// greenlet; makes it current, too. `None` if it has no handles.
    #[inline(always)]
    pub(super) fn cross_into(&self, next: &Core) -> Option<Place> {
        let own = next.storage().own()?;
        if next.refs.get() == 0 {
            return None;
        }
        self.in_force.set(Some(own.block));
        own.place.enter(next, Leaving::Across)
    }

    /// As [`cross_into`](Self::cross_into), for who shares the thread's own storage, which is not in force.
    #[inline(always)]
    pub(super) fn cross_back(&self, next: &Core) -> Option<Place> {
        self.in_force.set(None);
        let leaving = if next.refs.get() > 0 { Leaving::Fast } else { Leaving::Slow };
        self.threads_own().enter(next, leaving)
    }

    #[inline]
    fn threads_own(&self) -> Place {
        self.own.get().expect("blocks are exchanged where one was taken")
    }

    /// Where the thread's own storage is, if it is not in force.
    pub(super) fn elsewhere(&self) -> Option<Base> {
        self.in_force.get().and(self.own.get()).map(|own| own.base)
    }

    /// Takes the storage of a greenlet that ends back. It may be in force: from here on it is only left.
    ///
    /// # Safety
    ///
    /// The greenlet's user code has ended, and whoever runs leaves before another greenlet starts.
    pub(super) unsafe fn give_back(&self, core: &Core) {
        if let Some(own) = core.storage().own()
            && let Some(extras) = core.extras()
        {
            extras.storage.set(OwnStorage::No);
            // SAFETY: the caller's word.
            unsafe { self.pool.give_back(own.block) };
        }
    }
}

/// Runs the destructors of the thread-locals that the current greenlet has to itself, if it does.
///
/// The library that calls them could not be unwound, so they must not wait by what unwinds. What does not may
/// let others run meanwhile, unless it is [settled](WhoIsNext) who is next.
pub(crate) fn end_storage(core: &Core, next: WhoIsNext) {
    if let (Some(own), Some(extras)) = (core.storage().own(), core.extras()) {
        let _held = words::hold(Hold::Destructors);
        extras.may_wait_quietly.set(next == WhoIsNext::Open);
        own.block.end_user();
        extras.may_wait_quietly.set(false);
    }
}

/// Whether it is settled who continues when a greenlet ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhoIsNext {
    Open,
    Settled,
}

/// Whether the current greenlet is kept from waiting by nothing but that it destroys its thread-locals, and
/// may wait by what does not unwind.
pub(crate) fn may_wait_quietly(current: &Core) -> bool {
    words::is_held_once(Hold::Destructors)
        && current.extras().is_some_and(|extras| extras.may_wait_quietly.get())
}

/// To be held while the current greenlet lets others run, who are not concerned by that it
/// [may wait quietly](may_wait_quietly) only.
pub(crate) fn while_others_run(current: &Core) -> Option<words::Lifted> {
    may_wait_quietly(current).then(|| words::lift(Hold::Destructors))
}
