//! Data of which each greenlet has its own.

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::thread;

/// A key to data of which each greenlet has its own, declared by [`local!`](crate::local).
///
/// The data is made when a greenlet first uses the key, and dropped on its stack when the greenlet
/// ends, the youngest first; what a suspended [generator](crate::Generator) is using then is dropped when that is done
/// with it. Semantics: gevent's `local`, in the manner of
/// [`std::thread::LocalKey`].
pub struct LocalKey<T: 'static> {
    /// Makes the first value. The key's address is its identity, and this makes it take room.
    init: fn() -> T,
    /// Of just this type, not of one that differs from it by a lifetime: that is another type of data.
    data: PhantomData<fn(T) -> T>,
}

/// Declares data of which each greenlet has its own.
///
/// ```
/// use std::cell::Cell;
/// use greenlet::Greenlet;
///
/// greenlet::local! {
///     static CALLS: Cell<u32> = Cell::new(0);
/// }
///
/// CALLS.with(|calls| calls.set(7));
/// Greenlet::new(|()| CALLS.with(|calls| assert_eq!(calls.get(), 0))).switch(());
/// CALLS.with(|calls| assert_eq!(calls.get(), 7));
/// ```
#[macro_export]
macro_rules! local {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $init:expr;)*) => {
        $($(#[$attribute])* $visibility static $name: $crate::LocalKey<$type> = $crate::LocalKey::new(|| $init);)*
    };
}

impl<T: 'static> LocalKey<T> {
    /// A key whose data begins as what `init` makes. It must be a `static`: use
    /// [`local!`](crate::local).
    #[doc(hidden)]
    pub const fn new(init: fn() -> T) -> Self {
        Self { init, data: PhantomData }
    }

    /// Calls `f` with the current greenlet's own data, which is made first where there is none.
    ///
    /// # Panics
    ///
    /// If the initial value's expression or `f` does.
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        let core = thread::current();
        // SAFETY: the current greenlet is alive.
        let locals = &unsafe { core.as_ref() }.extras_or_new().locals;
        let key = std::ptr::from_ref(self).addr();
        // Where `f` is part of a generator's body, the greenlet may end while that is suspended.
        let value = locals.find(key).unwrap_or_else(|| locals.insert(key, Rc::new((self.init)())));
        f(value.downcast_ref().expect("a key's address tells its type"))
    }
}

impl<T: 'static> std::fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// The local data of one greenlet, in the order in which it was made.
#[derive(Default)]
pub(crate) struct Locals {
    values: RefCell<Vec<(usize, Rc<dyn Any>)>>,
}

impl Locals {
    fn find(&self, key: usize) -> Option<Rc<dyn Any>> {
        self.values.borrow().iter().find(|(of, _)| *of == key).map(|(_, value)| value.clone())
    }

    fn insert(&self, key: usize, value: Rc<dyn Any>) -> Rc<dyn Any> {
        self.values.borrow_mut().push((key, value.clone()));
        value
    }

    /// Drops all values, the youngest first, those included that destructors make on the way.
    pub(crate) fn end(&self, mut report: impl FnMut(Box<dyn Any + Send>)) {
        loop {
            let Some(youngest) = self.values.borrow_mut().pop() else { return };
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(youngest))) {
                report(payload);
            }
        }
    }
}
