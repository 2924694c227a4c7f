//! Whom a signal handler wakes.
//!
//! A handler may interrupt anything, so it takes no lock: it walks a list that only grows. An entry
//! that is left is used again by the next who comes.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::hub::{self, Bell};

/// An entry of the list. It is never freed.
struct Entry {
    bell: AtomicPtr<Bell>,
    next: *const Entry,
}

static FIRST: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());
/// How many handlers are walking along the list.
static RINGING: AtomicUsize = AtomicUsize::new(0);
/// How often a bell that is taken out is looked after before it is given up, and leaked. A handler
/// takes far less; one that was running on another thread at a fork never ends.
const PATIENCE: u32 = 1_000_000;

/// A bell of this thread's hub that is rung by every signal, until it is dropped.
pub(super) struct Hung {
    entry: *const Entry,
    bell: *mut Bell,
    /// After how many forks it was hung.
    forks: u32,
}

/// Rings all bells. Called from a signal handler.
pub(super) fn ring_all() {
    RINGING.fetch_add(1, Ordering::SeqCst);
    let mut next = FIRST.load(Ordering::SeqCst).cast_const();
    // SAFETY: entries are never freed.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: a bell is freed only when it is out of the list and nobody is ringing.
        if let Some(bell) = unsafe { entry.bell.load(Ordering::SeqCst).as_ref() } {
            bell.ring();
        }
        next = entry.next;
    }
    RINGING.fetch_sub(1, Ordering::SeqCst);
}

impl Hung {
    pub(super) fn new() -> Self {
        let bell = Box::into_raw(Box::new(Bell::new()));
        let entry = Self::in_free_entry(bell).unwrap_or_else(|| Self::in_new_entry(bell));
        Self { entry, bell, forks: hub::forks() }
    }

    /// Whether its hub is a parent's: a forked child has another one.
    pub(super) fn is_left_behind(&self) -> bool {
        self.forks != hub::forks()
    }

    fn in_free_entry(bell: *mut Bell) -> Option<*const Entry> {
        let mut next = FIRST.load(Ordering::SeqCst).cast_const();
        // SAFETY: entries are never freed.
        while let Some(entry) = unsafe { next.as_ref() } {
            let free = ptr::null_mut();
            if entry.bell.compare_exchange(free, bell, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                return Some(entry);
            }
            next = entry.next;
        }
        None
    }

    fn in_new_entry(bell: *mut Bell) -> *const Entry {
        let entry = Box::into_raw(Box::new(Entry { bell: AtomicPtr::new(bell), next: ptr::null() }));
        let mut first = FIRST.load(Ordering::SeqCst);
        loop {
            // SAFETY: nobody else sees it before it is in the list.
            unsafe { (*entry).next = first };
            match FIRST.compare_exchange(first, entry, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return entry,
                Err(other) => first = other,
            }
        }
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        // SAFETY: entries are never freed.
        unsafe { &*self.entry }.bell.store(ptr::null_mut(), Ordering::SeqCst);
        // Whoever begins to ring now does not find it.
        for _ in 0..PATIENCE {
            if RINGING.load(Ordering::SeqCst) == 0 {
                // SAFETY: made by `new`, out of the list, and nobody is ringing.
                drop(unsafe { Box::from_raw(self.bell) });
                return;
            }
            std::hint::spin_loop();
        }
    }
}
