//! What goes wrong where there is nobody to return it to.
//!
//! The library prints nothing by itself but through this hook, whose default writes one line
//! to standard error.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, RwLock};

use crate::greenlet::{KillError, Raised};

/// Something that went wrong out of any caller's sight.
#[derive(Debug)]
#[non_exhaustive]
pub enum Report<'a> {
    /// A greenlet was unwound because its last handle went or its thread ended, and a destructor
    /// or handler on its stack panicked; or the body of an unstarted one panicked when dropped.
    PanickedWhileDropped {
        /// Its id, and its name if it has one.
        greenlet: &'a str,
        /// The panic.
        raised: &'a Raised,
    },
    /// A greenlet that nothing refers to could not be unwound. Its stack is leaked: others may
    /// hold pointers into it, so it is never freed.
    Abandoned {
        /// Its id, and its name if it has one.
        greenlet: &'a str,
        /// Why.
        error: &'a KillError,
    },
    /// A spawned task panicked. Whoever joins it is told as well.
    TaskFailed {
        /// Its id, and its name if it has one.
        greenlet: &'a str,
        /// The panic.
        raised: &'a Raised,
    },
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PanickedWhileDropped { greenlet, raised } => {
                write!(f, "{greenlet}, being dropped: {raised}")
            }
            Self::Abandoned { greenlet, error } => write!(f, "{greenlet} is leaked: {error}"),
            Self::TaskFailed { greenlet, raised } => write!(f, "{greenlet} failed: {raised}"),
        }
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
    *HOOK.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(Arc::new(hook));
}

pub(crate) fn report(report: &Report<'_>) {
    let hook = HOOK.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
    // A failing hook leaves nobody to tell.
    let _ = catch_unwind(AssertUnwindSafe(|| match hook {
        Some(hook) => hook(report),
        None => eprintln!("greenlet: {report}"),
    }));
}
