//! Values that follow the flow of a program from greenlet to greenlet.
//!
//! A context maps keys to values. Each greenlet has one, which starts empty unless its
//! [builder](crate::Builder::context) says otherwise; tasks start with that of their spawner. A
//! context that was taken does not change any more: setting a key gives the current greenlet
//! another context. Semantics: Python's `contextvars` and greenlet's `gr_context`.

use std::any::Any;
use std::rc::Rc;

use super::{Greenlet, thread};

/// A snapshot of what keys are set to. Cheap to clone.
#[derive(Clone, Default)]
pub struct Context {
    newest: Option<Rc<Binding>>,
}

/// One setting, and those of other keys, of which each has one.
struct Binding {
    key: usize,
    value: Rc<dyn Any>,
    older: Option<Rc<Binding>>,
}

/// A key of contexts, to be declared as a `static`.
///
/// ```
/// use greenlet::Greenlet;
/// use greenlet::context::{Context, Key};
///
/// static REQUEST: Key<u64> = Key::new();
///
/// assert_eq!(REQUEST.get(), None);
/// REQUEST.set(7);
/// let seven = Context::current();
/// REQUEST.set(8);
/// let heir = Greenlet::builder().context(seven).build(|()| assert_eq!(REQUEST.get(), Some(7)));
/// heir.switch(());
/// ```
pub struct Key<T: 'static> {
    /// The key's address is its identity, and this makes it take room.
    _room: u8,
    value: std::marker::PhantomData<fn(T) -> T>,
}

impl Context {
    /// The current greenlet's context.
    pub fn current() -> Self {
        // SAFETY: the current greenlet is alive.
        let extras = unsafe { thread::current().as_ref() }.extras();
        extras.map(|extras| extras.context.borrow().clone()).unwrap_or_default()
    }

    /// Whether nothing was ever set in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    /// This context with a key set to that.
    pub(crate) fn with<T: Clone + 'static>(self, key: &'static Key<T>, value: T) -> Self {
        let key = key.address();
        let binding = Binding { key, value: Rc::new(value), older: self.without(key).newest };
        Self { newest: Some(Rc::new(binding)) }
    }

    /// This context with a key set to nothing. Older settings are shared, and newer ones made anew.
    fn without(self, key: usize) -> Self {
        let Some(unset) = self.settings().find(|binding| binding.key == key) else { return self };
        let newer: Vec<_> = self.settings().take_while(|binding| binding.key != key).collect();
        let newest = newer.into_iter().rfold(unset.older.clone(), |older, binding| {
            Some(Rc::new(Binding { key: binding.key, value: binding.value.clone(), older }))
        });
        Self { newest }
    }

    fn settings(&self) -> impl Iterator<Item = &Binding> {
        std::iter::successors(self.newest.as_deref(), |binding| binding.older.as_deref())
    }

    /// Calls `f` with this as the current greenlet's context, and puts the old one back.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        struct PutBack(Greenlet, Context);
        impl Drop for PutBack {
            fn drop(&mut self) {
                self.0.set_context(std::mem::take(&mut self.1));
            }
        }
        let me = Greenlet::current();
        let _put_back = PutBack(me.clone(), me.set_context(self.clone()));
        f()
    }

    fn find(&self, key: usize) -> Option<&dyn Any> {
        self.settings().find(|binding| binding.key == key).map(|binding| &*binding.value)
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("empty", &self.is_empty()).finish_non_exhaustive()
    }
}

impl Drop for Binding {
    /// Drops the settings of many keys without recursion.
    fn drop(&mut self) {
        let mut older = self.older.take();
        while let Some(mut binding) = older.and_then(Rc::into_inner) {
            older = binding.older.take();
        }
    }
}

impl<T: Clone + 'static> Key<T> {
    /// A key that is set nowhere.
    #[expect(clippy::new_without_default, reason = "a key that is not a static has no use")]
    pub const fn new() -> Self {
        Self { _room: 0, value: std::marker::PhantomData }
    }

    /// What the current greenlet's context sets it to.
    pub fn get(&'static self) -> Option<T> {
        Context::current().find(self.address()).and_then(|value| value.downcast_ref().cloned())
    }

    /// Sets it in the current greenlet's context.
    pub fn set(&'static self, value: T) {
        let me = Greenlet::<()>::current();
        me.set_context(me.context().with(self, value));
    }

    fn address(&'static self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl<T> std::fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

impl<T: 'static> Greenlet<T> {
    /// The greenlet's context. It may be asked for in any state, and after death.
    pub fn context(&self) -> Context {
        self.core().extras().map(|extras| extras.context.borrow().clone()).unwrap_or_default()
    }

    /// Gives the greenlet another context, and returns the old one.
    pub fn set_context(&self, context: Context) -> Context {
        self.core().extras_or_new().context.replace(context)
    }
}
