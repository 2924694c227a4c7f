//! What goes wrong where there is nobody to return it to.
//!
//! The library prints nothing by itself but through this hook, whose default writes one line
//! to standard error.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, RwLock};

/// Something that went wrong out of any caller's sight. Its text says what, and of which greenlet.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    kind: ReportKind,
    greenlet: &'a str,
    cause: &'a dyn fmt::Display,
}

/// What a [`Report`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportKind {
    /// A greenlet was unwound because its last handle went or its thread ended, and a destructor
    /// or handler on its stack panicked; or the body of an unstarted one panicked when dropped. Or a panic
    /// dropped a [generator](crate::Generator), whose body panicked as well.
    PanickedWhileDropped,
    /// A greenlet that nothing refers to, or a generator that was dropped, could not be unwound. Its stack is
    /// leaked: others may hold pointers into it, so it is never freed.
    Abandoned,
    /// Something was raised in a greenlet, or left for it by a child, when it could not take it: it
    /// waits for something else, or for another greenlet to be unwound.
    Undelivered,
    /// A spawned task ended with an error that is not a plain kill: it panicked, was killed
    /// [with an error](crate::Task::kill_with), let a timeout escape, or got no stack. Whoever joins it is
    /// told as well.
    TaskFailed,
    /// A [server](crate::server) could not accept, and tries again after a pause.
    AcceptFailed,
}

impl<'a> Report<'a> {
    pub(crate) fn new(kind: ReportKind, greenlet: &'a str, cause: &'a dyn fmt::Display) -> Self {
        Self { kind, greenlet, cause }
    }

    /// What it is about.
    pub fn kind(&self) -> ReportKind {
        self.kind
    }

    /// The greenlet's id, and its name if it has one; of a generator, who has dropped it.
    pub fn greenlet(&self) -> &str {
        self.greenlet
    }

    /// Tells whoever is to be told.
    pub(crate) fn send(&self) {
        let hook = HOOK.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let told = catch_unwind(AssertUnwindSafe(|| match hook {
            Some(hook) => hook(self),
            None => eprintln!("greenlet: {self}"),
        }));
        // A failing hook leaves nobody to tell.
        told.unwrap_or_else(discard);
    }
}

/// Drops something, whatever its destructor does, where there is nobody to tell of that.
pub(crate) fn discard<X>(value: X) {
    let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) else { return };
    let is_text = payload.is::<&str>() || payload.is::<String>();
    if !is_text {
        // What panics as it is dropped may have left another such: enough.
        std::mem::forget(payload);
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, greenlet, cause } = self;
        match kind {
            ReportKind::PanickedWhileDropped => write!(f, "{greenlet}, being dropped: {cause}"),
            ReportKind::Abandoned => write!(f, "{greenlet} is leaked: {cause}"),
            ReportKind::Undelivered => write!(f, "{greenlet}, undelivered: {cause}"),
            ReportKind::TaskFailed => write!(f, "{greenlet} failed: {cause}"),
            ReportKind::AcceptFailed => write!(f, "{greenlet} cannot accept, and tries again: {cause}"),
        }
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Report").field(&self.to_string()).finish()
    }
}

type Hook = Arc<dyn Fn(&Report<'_>) + Send + Sync>;

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Replaces what happens with reports, in the whole process. The default writes
/// `greenlet: ...` to standard error.
///
/// The hook runs on the greenlet where the thing happened, possibly while that unwinds: it must
/// not switch. A panic in it is ignored.
///
/// ```
/// greenlet::set_report_hook(|report| eprintln!("my service: {report}"));
/// ```
pub fn set_report_hook(hook: impl Fn(&Report<'_>) + Send + Sync + 'static) {
    let mut current = HOOK.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    let old = current.replace(Arc::new(hook));
    drop(current);
    // Not before: its destructor may report something.
    drop(old);
}
