//! Whether greenlets have thread-local storage of their own, and if not, why.
//!
//! That is the other half of taking calls over. These make the calls of code park that was written for
//! threads; storage makes such code find itself on a thread, which nobody else is on.

use std::sync::OnceLock;

use greenlet::{OwnTlsError, set_own_tls_by_default};

/// What has become of [`Patch::own_tls`](crate::Patch::own_tls).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OwnTls {
    /// Nobody has asked for it: all greenlets of a thread share its thread-locals.
    NotAskedFor,
    /// Greenlets that were made since have thread-locals of their own, unless told otherwise.
    On,
    /// Somebody has asked, and there cannot be such here; they are shared.
    Impossible(OwnTlsError),
}

impl OwnTls {
    /// Whether new greenlets have storage of their own.
    pub fn is_on(&self) -> bool {
        matches!(self, Self::On)
    }
}

static ASKED: OnceLock<Result<(), OwnTlsError>> = OnceLock::new();

/// Whether greenlets that are made now have thread-local storage of their own, and if not, why. Whether there
/// can be such is found out when somebody asks for it with [`patch_all`](crate::patch_all) or
/// [`Patch::own_tls`](crate::Patch::own_tls).
///
/// ```
/// # if cfg!(target_os = "linux") {
/// use greenlet_monkey::{OwnTls, own_tls};
///
/// assert!(matches!(own_tls(), OwnTls::NotAskedFor));
/// greenlet_monkey::patch_all().unwrap();
/// match own_tls() {
///     OwnTls::Impossible(why) => eprintln!("std's channels are for other threads only: {why}"),
///     state => assert!(state.is_on()),
/// }
/// # }
/// ```
pub fn own_tls() -> OwnTls {
    match ASKED.get() {
        None => OwnTls::NotAskedFor,
        Some(Ok(())) => OwnTls::On,
        Some(Err(why)) => OwnTls::Impossible(why.clone()),
    }
}

/// Turns it on where it can be.
pub(crate) fn turn_on() {
    let _ = ASKED.get_or_init(|| set_own_tls_by_default(true));
}
