//! Name lookups. libc does them by calls of its own that nobody can take over, so a thread of greenlet's
//! shared pool makes the whole lookup, while the greenlet waits as for a futex.
//!
//! Not in a static program, where there is no other lookup than the one that this would stand in for.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use greenlet::hub::embed;
use greenlet::pool::ThreadPool;
use libc::addrinfo;

use super::futex;
use super::raw::{errno, set_errno};
use super::take_over::take_over;
use crate::Part;

take_over! { Part::Names =>
    fn getaddrinfo(
        node: *const c_char,
        service: *const c_char,
        hints: *const addrinfo,
        found: *mut *mut addrinfo,
    ) -> c_int {
        ours: look_up(NEXT.address(), node, service, hints, found),
        plain: libc::EAI_SYSTEM,
    }
}

type GetAddrInfo =
    unsafe extern "C" fn(*const c_char, *const c_char, *const addrinfo, *mut *mut addrinfo) -> c_int;

/// Asked, and not answered.
const ASKED: u32 = 0;
const ANSWERED: u32 = 1;
/// There was no thread to answer.
const REFUSED: u32 = 2;
/// Whoever asked is gone.
const ABANDONED: u32 = 3;

/// A lookup, shared by the one who asks and the thread that answers.
struct Lookup {
    function: GetAddrInfo,
    node: Option<CString>,
    service: Option<CString>,
    hints: Option<addrinfo>,
    /// Written before the state is [`ANSWERED`], and read after.
    answer: Cell<Answer>,
    state: AtomicU32,
}

#[derive(Clone, Copy)]
struct Answer {
    result: c_int,
    errno: c_int,
    found: *mut addrinfo,
}

// SAFETY: the answer belongs to the thread that answers, and once the state says so, to the one who asks.
// What the hints point to is not looked at: a hint has no name, address or next one.
unsafe impl Send for Lookup {}
// SAFETY: as above.
unsafe impl Sync for Lookup {}

/// Tells whoever asked that there is an answer, or, dropped, that there is none.
struct Answering(Arc<Lookup>);

/// # Safety
///
/// The arguments are as `getaddrinfo` takes them, and `next` is that of libc.
unsafe fn look_up(
    next: Option<*mut c_void>,
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    found: *mut *mut addrinfo,
) -> c_int {
    let Some(next) = next else { return libc::EAI_SYSTEM };
    // SAFETY: the caller's word.
    let function: GetAddrInfo = unsafe { std::mem::transmute(next) };
    // SAFETY: as above.
    if !embed::can_wait() || !unsafe { takes_time(node, hints) } {
        // SAFETY: as above.
        return unsafe { function(node, service, hints, found) };
    }
    if embed::is_interrupted() {
        return canceled();
    }
    // SAFETY: as above.
    let owned = |text: *const c_char| (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned());
    let plain_hints = |hints: &addrinfo| addrinfo {
        ai_addrlen: 0,
        ai_addr: ptr::null_mut(),
        ai_canonname: ptr::null_mut(),
        ai_next: ptr::null_mut(),
        ..*hints
    };
    let lookup = Arc::new(Lookup {
        function,
        node: owned(node),
        service: owned(service),
        // SAFETY: the caller's word.
        hints: unsafe { hints.as_ref() }.map(plain_hints),
        answer: Cell::new(Answer { result: libc::EAI_SYSTEM, errno: 0, found: ptr::null_mut() }),
        state: AtomicU32::new(ASKED),
    });
    let answering = Answering(lookup.clone());
    drop(ThreadPool::shared().spawn(move || answering.answer()));
    match lookup.wait() {
        ANSWERED => {
            let answer = lookup.answer.get();
            if answer.result == 0 {
                // SAFETY: the caller's word.
                unsafe { *found = answer.found };
            } else if answer.result == libc::EAI_SYSTEM {
                set_errno(answer.errno);
            }
            answer.result
        }
        // SAFETY: the caller's word.
        REFUSED => unsafe { function(node, service, hints, found) },
        _ => canceled(),
    }
}

/// Whether a name is to be looked up, rather than an address in text.
///
/// # Safety
///
/// The arguments are as `getaddrinfo` takes them.
unsafe fn takes_time(node: *const c_char, hints: *const addrinfo) -> bool {
    let mut address = [0_u8; 16];
    // SAFETY: the caller's word, and there is room for the larger kind of address.
    let mut is_address = |family| unsafe { inet_pton(family, node, address.as_mut_ptr().cast()) == 1 };
    // SAFETY: as above.
    let numeric = unsafe { hints.as_ref() }.is_some_and(|hints| hints.ai_flags & libc::AI_NUMERICHOST != 0);
    !node.is_null() && !numeric && !is_address(libc::AF_INET) && !is_address(libc::AF_INET6)
}

unsafe extern "C" {
    fn inet_pton(family: c_int, text: *const c_char, address: *mut c_void) -> c_int;
}

fn canceled() -> c_int {
    set_errno(libc::ECANCELED);
    libc::EAI_SYSTEM
}

impl Lookup {
    /// Waits for the answer; [`ABANDONED`] if the greenlet is interrupted first.
    fn wait(&self) -> u32 {
        loop {
            match self.state.load(Ordering::Acquire) {
                ASKED if embed::is_interrupted() => {
                    let left = self.change(ASKED, ABANDONED);
                    return if left { ABANDONED } else { self.state.load(Ordering::Acquire) };
                }
                // SAFETY: it exists.
                ASKED => drop(unsafe { futex::wait(&self.state, ASKED, u32::MAX, None) }),
                state => return state,
            }
        }
    }

    fn change(&self, from: u32, to: u32) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Answering {
    fn answer(self) {
        let lookup = &self.0;
        let text = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        let hints = lookup.hints.as_ref().map_or(ptr::null(), ptr::from_ref);
        let mut found = ptr::null_mut();
        // SAFETY: the arguments are copies of good ones.
        let result =
            unsafe { (lookup.function)(text(&lookup.node), text(&lookup.service), hints, &mut found) };
        lookup.answer.set(Answer { result, errno: errno(), found });
        if !lookup.change(ASKED, ANSWERED) && result == 0 {
            // SAFETY: just made, and nobody's.
            unsafe { libc::freeaddrinfo(found) };
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.change(ASKED, REFUSED);
        futex::wake(ptr::from_ref(&self.0.state) as usize, usize::MAX, u32::MAX);
    }
}
