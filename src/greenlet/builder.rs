//! Options for a new greenlet.

use std::marker::PhantomData;

use super::context::Context;
use super::core::BodyType;
use super::extras::OwnFloatControl;
use super::storage::OwnStorage;
use super::{Greenlet, thread};
use crate::stack::{SizeClass, StackError};

/// Options for a new greenlet, from [`Greenlet::builder`].
///
/// ```
/// use greenlet::Greenlet;
///
/// let worker = Greenlet::builder()
///     .name("worker")
///     .stack_size(64 * 1024)
///     .build(|()| ());
/// worker.switch(());
/// assert_eq!(worker.name().as_deref(), Some("worker"));
/// ```
#[must_use]
pub struct Builder<T: 'static = ()> {
    name: Option<Box<str>>,
    context: Context,
    own_float_control: bool,
    /// As is usual, unless something is said.
    storage: Option<OwnStorage>,
    class: SizeClass,
    parent: Option<Greenlet>,
    value: PhantomData<fn(T) -> T>,
}

impl<T: 'static> Default for Builder<T> {
    #[inline]
    fn default() -> Self {
        Self {
            name: None,
            context: Context::default(),
            own_float_control: false,
            storage: None,
            class: SizeClass::DEFAULT,
            parent: None,
            value: PhantomData,
        }
    }
}

impl<T: 'static> Builder<T> {
    /// A name for reports and debuggers.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// The size of its stack in bytes: rounded up to a power of two, at least
    /// [`MIN_STACK_SIZE`](crate::MIN_STACK_SIZE). A sixteenth of it is guard, at least a page and at
    /// most 64 KiB. The default is [`DEFAULT_STACK_SIZE`](crate::DEFAULT_STACK_SIZE).
    ///
    /// # Panics
    ///
    /// If it is more than 16 GiB; [`try_stack_size`](Self::try_stack_size) returns that.
    #[inline]
    #[track_caller]
    pub fn stack_size(self, bytes: usize) -> Self {
        self.try_stack_size(bytes).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`stack_size`](Self::stack_size).
    ///
    /// # Errors
    ///
    /// If it is more than 16 GiB.
    #[inline]
    pub fn try_stack_size(self, bytes: usize) -> Result<Self, StackError> {
        Ok(Self { class: SizeClass::for_bytes(bytes)?, ..self })
    }

    /// The parent, in place of the current greenlet.
    pub fn parent<U: 'static>(mut self, parent: &Greenlet<U>) -> Self {
        self.parent = Some(parent.cast());
        self
    }

    /// The context that it starts with; without this it starts with an empty one.
    ///
    /// ```
    /// use greenlet::Greenlet;
    /// use greenlet::context::{Context, Key};
    ///
    /// static USER: Key<&str> = Key::new();
    /// USER.set("ada");
    /// let heir = Greenlet::builder().context(Context::current()).build(|()| assert_eq!(USER.get(), Some("ada")));
    /// heir.switch(());
    /// ```
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// Gives it floating-point control words of its own: rounding mode, exception masks, flushing of
    /// denormals (mxcsr and the x87 control word on x86_64, fpcr on aarch64).
    ///
    /// It starts with those of whoever starts it. What it changes is in force again each time it
    /// continues, and neither seen by others nor left behind. Without this, greenlets of a thread
    /// share the words as its functions do, and switching does not touch them. A greenlet with words
    /// of its own is switched to and from on the slow path.
    ///
    /// The Rust compiler counts on the default words, so this is for foreign code that changes them.
    /// Python's greenlet does it always, on x86 only.
    ///
    /// ```
    /// use greenlet::Greenlet;
    ///
    /// let solver = Greenlet::builder().own_float_control().build(|()| {
    ///     // A C library may call fesetround here; nobody else will notice.
    /// });
    /// solver.switch(());
    /// ```
    pub fn own_float_control(mut self) -> Self {
        self.own_float_control = true;
        self
    }

    /// Gives it thread-local storage of its own: for all code that runs in it, it is a thread.
    ///
    /// Its `thread_local!`s begin with their first values, those of C as well, `errno` among them, and are
    /// destroyed when it ends. So [`std::thread::current`] is a thread that nobody else is, a `RefCell`
    /// in a thread-local may stay borrowed while it waits, and what std keeps by thread (whether it panics,
    /// who has locked standard output, `park`, channels) is right between such greenlets. The
    /// repository's `docs/own-tls.md` tells how, and what stays the OS thread's all the same.
    ///
    /// It takes some six kilobytes, and a switch to or from it goes by a slower path and exchanges the
    /// storage. Without this a greenlet shares that of its thread, or does as the
    /// [default](crate::set_own_tls_by_default) says.
    ///
    /// While destructors of its thread-locals run, it can neither switch nor wait.
    ///
    /// Needs the feature `own-tls`.
    ///
    /// # Panics
    ///
    /// If greenlets cannot have that here; [`try_own_tls`](Self::try_own_tls) returns why.
    ///
    /// ```
    /// use std::cell::Cell;
    /// use greenlet::Greenlet;
    ///
    /// thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });
    ///
    /// DEPTH.set(7);
    /// if let Ok(options) = Greenlet::builder().try_own_tls() {
    ///     options.build(|()| assert_eq!(DEPTH.replace(1), 0)).switch(());
    /// }
    /// assert_eq!(DEPTH.get(), 7);
    /// ```
    #[cfg(feature = "own-tls")]
    #[track_caller]
    pub fn own_tls(self) -> Self {
        self.try_own_tls().unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`own_tls`](Self::own_tls).
    ///
    /// # Errors
    ///
    /// If greenlets cannot have that here. It is tried at the first call in a process.
    #[cfg(feature = "own-tls")]
    pub fn try_own_tls(mut self) -> Result<Self, crate::tls::OwnTlsError> {
        crate::tls::probe()?;
        self.storage = Some(OwnStorage::Wanted);
        Ok(self)
    }

    /// Has it share the thread-local storage of its thread, where
    /// [the default](crate::set_own_tls_by_default) is storage of its own.
    ///
    /// Switches to it are fast, and its thread-locals are those of the thread's root and of all others
    /// that share them: for greenlets that know that they are greenlets.
    #[cfg(feature = "own-tls")]
    pub fn shared_tls(mut self) -> Self {
        self.storage = Some(OwnStorage::No);
        self
    }

    /// Unless it was given a context: that of the current greenlet.
    pub(crate) fn inherit_context(self) -> Self {
        if self.context.is_empty() { self.context(Context::current()) } else { self }
    }

    /// The same options for a greenlet that exchanges values of another type.
    pub(crate) fn for_values_of<U: 'static>(self) -> Builder<U> {
        let Self { name, context, own_float_control, storage, class, parent, value: _ } = self;
        Builder { name, context, own_float_control, storage, class, parent, value: PhantomData }
    }

    /// Makes the greenlet, see [`Greenlet::new`].
    #[inline]
    pub fn build<F: FnOnce(T) -> T + 'static>(self, body: F) -> Greenlet<T> {
        let greenlet = self.build_without_body();
        greenlet.core().set_body(body, const { &BodyType::returning::<T, F>() });
        greenlet
    }

    /// Makes the greenlet, see [`Greenlet::without_body`].
    // In the caller, who knows what was not asked for: of that nothing is left then.
    #[inline(always)]
    pub fn build_without_body(self) -> Greenlet<T> {
        let Self { name, context, own_float_control, storage, class, parent, value: _ } = self;
        let parent = parent.as_ref().map(Greenlet::core_ptr);
        let greenlet = Greenlet::from_counted(thread::new_greenlet(parent, class));
        let storage = storage.unwrap_or_else(OwnStorage::by_default);
        let shares = !own_float_control && storage == OwnStorage::No;
        if name.is_some() || !context.is_empty() || !shares {
            let float_control =
                if own_float_control { OwnFloatControl::Inherited } else { OwnFloatControl::No };
            greenlet.core().furnish(name, context, float_control, storage);
        }
        greenlet
    }
}
