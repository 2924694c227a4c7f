//! Hooks that are told of every switch, for debuggers and profilers.
//!
//! A hook runs after the switch, on the target's stack, before the target sees what was sent. So
//! the current greenlet is the target then. It may itself switch, and is told of that as well: one
//! that always does never ends. Semantics: `settrace` of Python's greenlet; the hook for the whole
//! process is an addition.
//!
//! While a hook is set, switches take the slow path.
//!
//! ```
//! use std::cell::Cell;
//! use std::rc::Rc;
//! use greenlet::{Greenlet, trace};
//!
//! let switches = Rc::new(Cell::new(0));
//! let count = switches.clone();
//! trace::set(move |_event| count.set(count.get() + 1));
//! Greenlet::<()>::new(|()| ()).switch(());
//! trace::clear();
//! assert_eq!(switches.get(), 2, "there and back");
//! ```

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use super::core::Core;
use super::raised::Raised;
use super::{Greenlet, counting, life, thread};

/// How control went over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// With a value; also when a greenlet ends by returning or by being killed.
    Switch,
    /// With something raised; also when a greenlet ends by a panic.
    Throw,
}

/// A switch that has just happened.
pub struct Event {
    kind: EventKind,
    origin: Greenlet,
    target: Greenlet,
}

impl Event {
    /// How control went over.
    pub fn kind(&self) -> EventKind {
        self.kind
    }

    /// The greenlet that was left. It may be dead by now.
    pub fn origin(&self) -> &Greenlet {
        &self.origin
    }

    /// The greenlet that continues, which is the current one.
    pub fn target(&self) -> &Greenlet {
        &self.target
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} from {} to {}", self.kind, self.origin.id(), self.target.id())
    }
}

/// A hook for one thread.
pub type Hook = Rc<dyn Fn(&Event)>;

type GlobalHook = Arc<dyn Fn(&Event) + Send + Sync>;

static GLOBAL: RwLock<Option<GlobalHook>> = RwLock::new(None);
static GLOBAL_IS_SET: AtomicBool = AtomicBool::new(false);

/// Has `hook` told of every switch on this thread; returns the hook that was there before.
///
/// A hook that panics is removed, and its panic is raised in the target in place of what was sent.
pub fn set(hook: impl Fn(&Event) + 'static) -> Option<Hook> {
    replace(Some(Rc::new(hook)))
}

/// Removes this thread's hook and returns it.
pub fn clear() -> Option<Hook> {
    replace(None)
}

/// Sets this thread's hook, or none; returns the one that was there before.
pub fn replace(hook: Option<Hook>) -> Option<Hook> {
    // SAFETY: the current greenlet is alive.
    unsafe { thread::current().as_ref() }.thread().set_hook(hook)
}

/// This thread's hook.
pub fn get() -> Option<Hook> {
    // SAFETY: the current greenlet is alive.
    unsafe { thread::current().as_ref() }.thread().hook()
}

/// Has `hook` told of every switch on every thread, besides the threads' own hooks.
///
/// This thread begins at once. Another one begins when it next makes a greenlet, waits in its hub or
/// takes the slow path of a switch for any other reason: to look for a hook at each switch would make
/// all of them slower.
///
/// If it panics, it stays set, and its panic is raised in the target in place of what was sent.
pub fn set_global(hook: impl Fn(&Event) + Send + Sync + 'static) {
    replace_global(Some(Arc::new(hook)));
}

/// Removes the process's hook.
pub fn clear_global() {
    replace_global(None);
}

fn replace_global(hook: Option<GlobalHook>) {
    let mut global = GLOBAL.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    GLOBAL_IS_SET.store(hook.is_some(), Ordering::Relaxed);
    let old = std::mem::replace(&mut *global, hook);
    drop(global);
    drop(old);
    // SAFETY: the current greenlet is alive.
    unsafe { thread::current().as_ref() }.thread().notice_hooks();
}

/// Whether the process has a hook.
#[inline(always)]
pub(crate) fn is_global() -> bool {
    GLOBAL_IS_SET.load(Ordering::Relaxed)
}

/// Tells all hooks. What they raise is for the target.
pub(crate) fn tell(kind: EventKind, origin: NonNull<Core>, target: NonNull<Core>) -> Result<(), Raised> {
    // SAFETY: what is current is alive.
    let thread = unsafe { target.as_ref() }.thread();
    let own = thread.hook();
    let global = GLOBAL.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
    let event = Event { kind, origin: handle(origin), target: handle(target) };
    // Each is dropped where its panics are caught: it may have been removed meanwhile.
    if let Some(hook) = own
        && let Err(payload) = catch_unwind(AssertUnwindSafe(|| { hook }(&event)))
    {
        // SAFETY: kept by the event.
        let origin = unsafe { origin.as_ref() };
        life::quietly(origin, || drop(clear()));
        life::quietly(origin, || drop(global));
        return Err(Raised::from_payload(payload));
    }
    if let Some(hook) = global {
        catch_unwind(AssertUnwindSafe(|| { hook }(&event))).map_err(Raised::from_payload)?;
    }
    Ok(())
}

fn handle(core: NonNull<Core>) -> Greenlet {
    counting::retain(core);
    Greenlet::from_counted(core)
}
