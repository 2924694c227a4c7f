//! Floor 2: greenlets.
//!
//! A [`Greenlet`] is a function with a stack of its own, entered and left by
//! [`switch`](Greenlet::switch), and linked to a parent that receives what it leaves behind.
//! There is no scheduler here: control goes where it is sent.
//!
//! The semantics are those of Python's greenlet, in Rust's terms. This floor must never pick
//! who runs next by itself, and never wait for anything.

mod arena;
mod builder;
mod chore;
#[cfg(doctest)]
mod compile_fail;
pub mod context;
pub(crate) mod core;
pub(crate) mod counting;
mod error;
mod extras;
mod generator;
mod late;
pub(crate) mod life;
mod local;
mod parcel;
mod raised;
pub(crate) mod spans;
pub(crate) mod stacks;
pub(crate) mod standing;
// Where there are no blocks, what they would be exchanged by is never reached.
#[cfg_attr(not(own_tls), allow(unreachable_code, unused_variables))]
pub(crate) mod storage;
pub(crate) mod switching;
pub(crate) mod tag;
pub(crate) mod thread;
pub mod trace;
mod unwind;
mod weak;
pub(crate) mod words;

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

pub use builder::Builder;
pub use error::{KillError, ParentError, SwitchError};
pub use generator::{Generator, Step, Yielder};
pub use local::LocalKey;
#[cfg(feature = "hub")]
pub(crate) use raised::payload_message;
pub use raised::{GeneratorExit, GreenletExit, Raised};
#[cfg(feature = "own-tls")]
pub use storage::set_own_tls_by_default;
pub use thread::{trim_stacks, unwind_all};
pub use weak::WeakGreenlet;

use self::core::{BodyType, Core};
use self::standing::Phase;
use self::switching::Landing;

/// A handle to a greenlet: a function with a stack of its own.
///
/// Greenlets that switch to one another exchange values of one type, `T`. Handles are cheap to
/// clone, and a clone is the same greenlet. They never leave their thread.
///
/// When the last handle to a suspended greenlet goes, the greenlet is unwound there and then, so
/// its destructors run; one that never started has its body dropped.
///
/// Semantics: `greenlet.greenlet` of Python's greenlet. Where Python packs arguments, this
/// passes one value; where it raises, this unwinds or returns [`Raised`].
///
/// ```
/// use greenlet::Greenlet;
///
/// let main = Greenlet::current();
/// let adder = Greenlet::new(move |first: u64| {
///     let second = main.switch(0); // "give me another one"
///     first + second // goes to the parent: whoever made this greenlet
/// });
/// assert_eq!(adder.switch(40), 0);
/// assert_eq!(adder.switch(2), 42);
/// assert!(adder.is_dead());
/// ```
pub struct Greenlet<T: 'static = ()> {
    core: NonNull<Core>,
    /// Invariant in T, and neither Send nor Sync.
    value: PhantomData<*mut T>,
}

/// What a greenlet is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not run yet.
    Unstarted,
    /// It has a pending switch.
    Suspended,
    /// It is the one that asks.
    Running,
    /// It has finished: by returning, by a panic, or because it was killed.
    Dead,
}

impl<T: 'static> Greenlet<T> {
    /// Makes a greenlet that will run `body` with the first value that is switched to it. Its
    /// parent is the current greenlet.
    ///
    /// Nothing runs and no stack is made before the first switch.
    #[inline]
    pub fn new(body: impl FnOnce(T) -> T + 'static) -> Self {
        Self::builder().build(body)
    }

    /// Makes a greenlet without a body, to be given one by [`set_body`](Self::set_body): how two
    /// greenlets that name each other are made. Switching to it before that is refused.
    ///
    /// ```
    /// use greenlet::Greenlet;
    ///
    /// let ping = Greenlet::without_body();
    /// let pong = {
    ///     let ping = ping.clone();
    ///     Greenlet::new(move |n: u32| ping.switch(n + 1))
    /// };
    /// ping.set_body({
    ///     let pong = pong.clone();
    ///     move |n| pong.switch(n + 1) * 10
    /// });
    /// assert_eq!(ping.switch(0), 20);
    /// ```
    pub fn without_body() -> Self {
        Self::builder().build_without_body()
    }

    /// Options for a new greenlet: name, stack size, parent.
    #[inline]
    pub fn builder() -> Builder<T> {
        Builder::default()
    }

    /// Gives a greenlet that has none a body (Python: `g.run = f`).
    ///
    /// # Panics
    ///
    /// If it has a body already, or has been started, or is dead.
    #[track_caller]
    pub fn set_body<F: FnOnce(T) -> T + 'static>(&self, body: F) {
        let core = self.core();
        let free = core.standing.phase() == Phase::Unstarted && core.body().is_none();
        assert!(free, "a greenlet gets its body once, before it starts");
        core.set_body(body, const { &BodyType::returning::<T, F>() });
    }

    /// The greenlet that runs now, seen as one that exchanges values of type `T`.
    ///
    /// Any type may be chosen: each switch checks that the two sides agree at that moment.
    pub fn current() -> Self {
        let core = thread::current();
        counting::retain(core);
        let greenlet = Self { core, value: PhantomData };
        greenlet.is_wanted_again();
        greenlet
    }

    /// Called after a count was added that may be the first: leaving a greenlet without one unwinds
    /// it, so switches were slow until now.
    fn is_wanted_again(&self) {
        if self.core().refs.get() == 1 && self.state() == State::Running {
            self.core().thread().look_again();
        }
    }

    /// This thread's root greenlet: the one that runs on the thread's own stack. It has no parent,
    /// and is never dead while its thread lives.
    pub fn root() -> Self {
        // SAFETY: the current greenlet is alive.
        let root = unsafe { thread::current().as_ref() }.thread().root();
        counting::retain(root);
        Self { core: root, value: PhantomData }
    }

    /// Sends `value` to the greenlet and waits for the next value that anybody sends here.
    ///
    /// An unstarted target starts with it; a suspended one has it returned from its pending
    /// switch; the caller itself gets it back at once; a dead target's nearest living ancestor
    /// receives it in its place.
    ///
    /// # Panics
    ///
    /// Unwinds with what is raised here instead: the panic of a child that ends, an error that is
    /// [thrown](Self::throw), [`GreenletExit`]. Panics if the switch is refused, see
    /// [`SwitchError`]. [`try_switch`](Self::try_switch) returns all that.
    #[inline(always)]
    #[track_caller]
    pub fn switch(&self, value: T) -> T {
        // SAFETY: handles do not leave their thread, and this one holds a count.
        match unsafe { switching::transfer(self.core, value) } {
            Landing::Value(value) => value,
            // SAFETY: it has just landed.
            Landing::Rare(message) => unsafe { switching::open_or_unwind(message) },
            Landing::NotPlain(value) => self.deliver_and_raise(value),
        }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn deliver_and_raise(&self, value: T) -> T {
        Raised::or_raise(switching::deliver(self.core, Ok(value)))
    }

    /// As [`switch`](Self::switch), but returns what is raised here.
    ///
    /// # Errors
    ///
    /// What is raised here in place of a value, or why the switch was refused: in that case
    /// nothing has moved, and [`Raised::take_value`] gives the value back.
    #[inline(always)]
    pub fn try_switch(&self, value: T) -> Result<T, Raised> {
        // SAFETY: handles do not leave their thread, and this one holds a count.
        unsafe { switching::transfer_or_deliver(self.core, value) }
    }

    /// Raises `error` in the greenlet: its pending switch unwinds with it as the panic's payload,
    /// without a call of the panic hook. Waits as [`switch`](Self::switch) does.
    ///
    /// An unstarted target ends without running, and the error goes to its parent; so does an
    /// error thrown into a dead one. A target without a body refuses it. Thrown at the caller itself
    /// it is raised here.
    ///
    /// # Panics
    ///
    /// As [`switch`](Self::switch).
    #[track_caller]
    pub fn throw(&self, error: impl Any + Send) -> T {
        Raised::or_raise(self.try_throw(error))
    }

    /// As [`throw`](Self::throw), but returns what is raised here.
    ///
    /// # Errors
    ///
    /// As [`try_switch`](Self::try_switch).
    pub fn try_throw(&self, error: impl Any + Send) -> Result<T, Raised> {
        switching::deliver::<T, T>(self.core, Err(Raised::from_payload(Box::new(error))))
    }

    /// Unwinds the greenlet with [`GreenletExit`] and returns when it is dead. For the time of it
    /// the caller is its parent. Killing a dead greenlet does nothing.
    ///
    /// A greenlet that kills itself unwinds from here.
    ///
    /// # Errors
    ///
    /// If it caught the exit and lives, if its destructors panicked, or if this build cannot
    /// unwind.
    pub fn kill(&self) -> Result<(), KillError> {
        let core = self.core();
        match self.state() {
            State::Dead => Ok(()),
            State::Running if life::CAN_UNWIND => Raised::exit().resume(),
            State::Running => Err(KillError::CannotUnwind),
            State::Unstarted if core.body().is_none() || !life::prepare_to_be_seen(core) => {
                life::end_unstarted(core);
                Ok(())
            }
            // It has no end before its thread's: this is a throw.
            State::Suspended if self.is_root() => {
                Raised::or_raise(switching::deliver::<T, T>(self.core, Err(Raised::exit())));
                Err(KillError::Refused)
            }
            State::Suspended | State::Unstarted => Raised::or_raise(unwind::unwind(self.core)),
        }
    }

    /// The greenlet that receives what this one leaves; `None` for a thread's root.
    pub fn parent<U: 'static>(&self) -> Option<Greenlet<U>> {
        // While it is being unwound, who does that stands in for the parent.
        let core = self.core().unwinder().or(self.core().parent.get())?;
        counting::retain(core);
        Some(Greenlet { core, value: PhantomData })
    }

    /// Changes who receives what this greenlet leaves. Allowed at any time: the parent is read at
    /// death.
    ///
    /// # Errors
    ///
    /// If this is a root, or the new parent is this greenlet or descends from it. The old link
    /// stays.
    pub fn set_parent<U: 'static>(&self, parent: &Greenlet<U>) -> Result<(), ParentError> {
        let core = self.core();
        if core.parent().is_none() {
            return Err(ParentError::Root);
        }
        let mut ancestor = Some(parent.core());
        while let Some(this) = ancestor {
            if std::ptr::eq(this, core) {
                return Err(ParentError::Cycle);
            }
            ancestor = this.parent();
        }
        counting::retain(parent.core);
        if let Some(old) = core.parent.replace(Some(parent.core)) {
            counting::release(old);
        }
        Ok(())
    }

    /// What the greenlet is doing.
    pub fn state(&self) -> State {
        match self.core().standing.phase() {
            Phase::Unstarted => State::Unstarted,
            Phase::Active if thread::existing_current() == Some(self.core) => State::Running,
            Phase::Active => State::Suspended,
            Phase::Dead => State::Dead,
        }
    }

    /// Whether it has finished.
    pub fn is_dead(&self) -> bool {
        self.core().is_dead()
    }

    /// Whether it has started and not finished: `bool(g)` in Python.
    pub fn is_active(&self) -> bool {
        self.core().standing.phase() == Phase::Active
    }

    /// Whether this is the thread's root greenlet.
    pub fn is_root(&self) -> bool {
        self.core().parent().is_none()
    }

    /// The name it was given.
    pub fn name(&self) -> Option<String> {
        self.core().name().map(String::from)
    }

    /// A number that no other greenlet of this thread has, counted from 0, the root's.
    pub fn id(&self) -> u64 {
        self.core().id.get()
    }

    /// The same greenlet, seen as one that exchanges values of another type.
    ///
    /// Each switch checks that the two sides agree at that moment.
    pub fn cast<U: 'static>(&self) -> Greenlet<U> {
        counting::retain(self.core);
        Greenlet { core: self.core, value: PhantomData }
    }

    /// A handle that takes over a count.
    fn from_counted(core: NonNull<Core>) -> Self {
        Self { core, value: PhantomData }
    }

    pub(crate) fn core_ptr(&self) -> NonNull<Core> {
        self.core
    }

    fn core(&self) -> &Core {
        // SAFETY: this handle holds a count.
        unsafe { self.core.as_ref() }
    }
}

impl<T: 'static> Clone for Greenlet<T> {
    fn clone(&self) -> Self {
        self.cast()
    }
}

impl<T: 'static> Drop for Greenlet<T> {
    #[inline]
    fn drop(&mut self) {
        counting::release(self.core);
    }
}

impl<T: 'static, U: 'static> PartialEq<Greenlet<U>> for Greenlet<T> {
    fn eq(&self, other: &Greenlet<U>) -> bool {
        self.core == other.core
    }
}

impl<T: 'static> Eq for Greenlet<T> {}

impl<T: 'static> std::hash::Hash for Greenlet<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.core.hash(state);
    }
}

impl<T: 'static> fmt::Debug for Greenlet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Greenlet")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("state", &self.state())
            .field("root", &self.is_root())
            .finish()
    }
}
