//! Name lookups, made [away](super::away) from here: copies of the arguments go there, and what is found comes back.
//!
//! Not in a static program, where there is no other lookup than the one that this would stand in for.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::{MaybeUninit, transmute};
use std::ptr;

use greenlet::hub::embed;
use libc::{addrinfo, sockaddr, sockaddr_storage, socklen_t};

use super::away::away;
use super::raw::set_errno;
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

    fn getnameinfo(
        address: *const sockaddr,
        address_len: socklen_t,
        host: *mut c_char,
        host_len: socklen_t,
        service: *mut c_char,
        service_len: socklen_t,
        flags: c_int,
    ) -> c_int {
        ours: name_of(
            NEXT.address(),
            (address, address_len),
            Room::new(host, host_len),
            Room::new(service, service_len),
            flags,
        ),
        plain: libc::EAI_SYSTEM,
    }
}

type GetAddrInfo =
    unsafe extern "C" fn(*const c_char, *const c_char, *const addrinfo, *mut *mut addrinfo) -> c_int;
type GetNameInfo = unsafe extern "C" fn(
    *const sockaddr,
    socklen_t,
    *mut c_char,
    socklen_t,
    *mut c_char,
    socklen_t,
    c_int,
) -> c_int;

/// What a lookup has found, until somebody takes it.
struct Found(*mut addrinfo);

// SAFETY: the list is nobody else's.
unsafe impl Send for Found {}

impl Drop for Found {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: made by a lookup, and nobody has taken it.
            unsafe { libc::freeaddrinfo(self.0) };
        }
    }
}

/// A copy of hints, which have no name, address or next one.
struct Hints(addrinfo);

// SAFETY: what it points to is not looked at.
unsafe impl Send for Hints {}
// SAFETY: as above.
unsafe impl Sync for Hints {}

impl Hints {
    fn copied(hints: &addrinfo) -> Self {
        Self(addrinfo {
            ai_addrlen: 0,
            ai_addr: ptr::null_mut(),
            ai_canonname: ptr::null_mut(),
            ai_next: ptr::null_mut(),
            ..*hints
        })
    }
}

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
    let function: GetAddrInfo = unsafe { transmute(next) };
    // SAFETY: as above.
    if !embed::can_wait() || !unsafe { takes_time(node, hints) } {
        // SAFETY: as above.
        return unsafe { function(node, service, hints, found) };
    }
    // SAFETY: as above.
    let (node, service, hints) = unsafe { (owned(node), owned(service), hints.as_ref().map(Hints::copied)) };
    let answer = away(move || {
        let mut found = Found(ptr::null_mut());
        let hints = hints.as_ref().map_or(ptr::null(), |hints| &raw const hints.0);
        // SAFETY: the arguments are copies of good ones.
        (unsafe { function(pointer(&node), pointer(&service), hints, &mut found.0) }, found)
    });
    let Some((result, mut answer)) = answer else { return canceled() };
    if result == 0 {
        // SAFETY: the caller's word.
        unsafe { *found = std::mem::replace(&mut answer.0, ptr::null_mut()) };
    }
    result
}

/// Whether a name is to be looked up, rather than an address in text.
///
/// # Safety
///
/// The arguments are as `getaddrinfo` takes them.
unsafe fn takes_time(node: *const c_char, hints: *const addrinfo) -> bool {
    // SAFETY: the caller's word.
    let numeric = unsafe { hints.as_ref() }.is_some_and(|hints| hints.ai_flags & libc::AI_NUMERICHOST != 0);
    // SAFETY: as above.
    !node.is_null() && !numeric && !unsafe { is_address(node) }
}

/// Whether it is an address in text.
///
/// # Safety
///
/// It is a C string.
pub(super) unsafe fn is_address(text: *const c_char) -> bool {
    let mut address = [0_u8; 16];
    // SAFETY: the caller's word, and there is room for the larger kind of address.
    let mut is = |family| unsafe { inet_pton(family, text, address.as_mut_ptr().cast()) == 1 };
    is(libc::AF_INET) || is(libc::AF_INET6)
}

unsafe extern "C" {
    fn inet_pton(family: c_int, text: *const c_char, address: *mut c_void) -> c_int;
}

/// # Safety
///
/// It is a C string, or nowhere.
pub(super) unsafe fn owned(text: *const c_char) -> Option<CString> {
    // SAFETY: the caller's word.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned())
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(ptr::null(), |text| text.as_ptr())
}

fn canceled() -> c_int {
    set_errno(libc::ECANCELED);
    libc::EAI_SYSTEM
}

/// Where a caller wants a name.
struct Room {
    start: *mut c_char,
    len: socklen_t,
}

impl Room {
    fn new(start: *mut c_char, len: socklen_t) -> Self {
        // A name is no longer than NI_MAXHOST.
        Self { start, len: if start.is_null() { 0 } else { len.min(1025) } }
    }

    /// As much room elsewhere.
    fn as_much(&self) -> Vec<u8> {
        vec![0; self.len as usize]
    }

    /// # Safety
    ///
    /// There is as much room as it says, and the name is from [`as_much`](Self::as_much).
    unsafe fn fill(&self, name: &[u8]) {
        // SAFETY: the caller's word.
        unsafe { ptr::copy_nonoverlapping(name.as_ptr().cast(), self.start, name.len()) };
    }
}

/// # Safety
///
/// The arguments are as `getnameinfo` takes them, and `next` is that of libc.
unsafe fn name_of(
    next: Option<*mut c_void>,
    address: (*const sockaddr, socklen_t),
    host: Room,
    service: Room,
    flags: c_int,
) -> c_int {
    let Some(next) = next else { return libc::EAI_SYSTEM };
    // SAFETY: the caller's word.
    let function: GetNameInfo = unsafe { transmute(next) };
    let by_number = host.len == 0 || flags & libc::NI_NUMERICHOST != 0;
    // SAFETY: as above.
    let Some(copy) = (unsafe { copied(address) }).filter(|_| !by_number && embed::can_wait()) else {
        // SAFETY: as above.
        return unsafe {
            function(address.0, address.1, host.start, host.len, service.start, service.len, flags)
        };
    };
    let (address_len, host_room, service_room) = (address.1, host.as_much(), service.as_much());
    let answer = away(move || {
        let (mut host, mut service) = (host_room.clone(), service_room.clone());
        // SAFETY: the arguments are copies of good ones, or as long as they say.
        let result = unsafe {
            function(
                (&raw const copy).cast(),
                address_len,
                host.as_mut_ptr().cast(),
                host.len() as socklen_t,
                service.as_mut_ptr().cast(),
                service.len() as socklen_t,
                flags,
            )
        };
        (result, host, service)
    });
    let Some((result, name, service_name)) = answer else { return canceled() };
    if result == 0 {
        // SAFETY: the caller's word.
        unsafe {
            host.fill(&name);
            service.fill(&service_name);
        }
    }
    result
}

/// A copy of an address, if it is one.
///
/// # Safety
///
/// It is as long as it says, or nowhere.
unsafe fn copied((start, len): (*const sockaddr, socklen_t)) -> Option<sockaddr_storage> {
    if start.is_null() || len as usize > size_of::<sockaddr_storage>() {
        return None;
    }
    let mut copy = MaybeUninit::<sockaddr_storage>::zeroed();
    // SAFETY: the caller's word, and there is as much room; bytes are what it consists of.
    unsafe {
        ptr::copy_nonoverlapping(start.cast::<u8>(), copy.as_mut_ptr().cast(), len as usize);
        Some(copy.assume_init())
    }
}
