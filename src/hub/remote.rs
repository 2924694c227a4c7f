//! How other threads reach a hub.
//!
//! A post goes into the inbox; the poller is woken only if the hub sleeps. The hub empties the
//! inbox at the beginning of each round.

use std::cell::{Cell, RefCell};
#[cfg(target_os = "linux")]
use std::ptr;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(target_os = "linux")]
use std::sync::atomic::{AtomicPtr, AtomicU8};
use std::sync::{Arc, Mutex, MutexGuard};

use slab::Slab;

#[cfg(target_os = "linux")]
use super::embed::Sleeper;
use super::poller::Waker;
use super::{Fiber, Hub, existing};
use crate::lock::lock;

/// After a flood of posts, memory for so many is kept.
const KEPT_ROOM: usize = 1024;

type Call = Box<dyn FnOnce(&Hub) + Send>;

pub(super) enum Post {
    Wake(RemoteKey),
    Call(Call),
}

/// The side of a hub that other threads see.
pub(crate) struct Remote {
    /// `None` once the hub is gone.
    inbox: Mutex<Option<Vec<Post>>>,
    posted: AtomicBool,
    /// A [`Bell`] was rung.
    rung: AtomicBool,
    sleeping: AtomicBool,
    /// Signals have been handled, [of such kinds](super::signals).
    #[cfg(target_os = "linux")]
    signals: AtomicU8,
    /// How many [`Line`]s there are.
    lines: AtomicUsize,
    /// Sleepers that were woken, the last one first.
    #[cfg(target_os = "linux")]
    sleepers: AtomicPtr<Sleeper>,
    waker: Waker,
}

impl Remote {
    pub(crate) fn new(waker: Waker) -> Self {
        Self {
            inbox: Mutex::new(Some(Vec::new())),
            posted: AtomicBool::new(false),
            rung: AtomicBool::new(false),
            #[cfg(target_os = "linux")]
            signals: AtomicU8::new(0),
            sleeping: AtomicBool::new(false),
            lines: AtomicUsize::new(0),
            #[cfg(target_os = "linux")]
            sleepers: AtomicPtr::new(ptr::null_mut()),
            waker,
        }
    }

    /// Has the hub call a function, which must neither wait nor panic.
    pub(crate) fn call(&self, call: impl FnOnce(&Hub) + Send + 'static) -> Result<(), HubGone> {
        self.post(Post::Call(Box::new(call)))
    }

    fn post(&self, post: Post) -> Result<(), HubGone> {
        self.inbox().as_mut().ok_or(HubGone)?.push(post);
        self.call_attention();
        Ok(())
    }

    /// Has the hub look at what was left for it.
    fn call_attention(&self) {
        self.posted.store(true, Ordering::SeqCst);
        if self.sleeping.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Option<Vec<Post>>> {
        lock(&self.inbox)
    }

    /// Announces that the hub is about to sleep; false if there is a post to see to first.
    pub(crate) fn begin_sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::SeqCst);
        let nothing_posted = !self.posted.load(Ordering::SeqCst);
        if !nothing_posted {
            self.end_sleep();
        }
        nothing_posted
    }

    pub(crate) fn end_sleep(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }

    /// Whether anybody elsewhere may still have something for the hub, or has had.
    pub(crate) fn has_hope(&self) -> bool {
        // In this order: the last line may go after its last post.
        self.lines.load(Ordering::SeqCst) > 0 || self.has_posts()
    }

    /// Whether there is a post to see to.
    pub(crate) fn has_posts(&self) -> bool {
        self.posted.load(Ordering::SeqCst)
    }

    /// Sees to what was posted. False as for a [callback](Hub::call_back).
    #[inline]
    pub(super) fn drain(&self, hub: &Hub) -> bool {
        !self.posted.load(Ordering::Relaxed) || self.drain_posts(hub)
    }

    #[cold]
    fn drain_posts(&self, hub: &Hub) -> bool {
        self.posted.store(false, Ordering::SeqCst);
        if self.rung.swap(false, Ordering::SeqCst) {
            hub.wake_for_bell();
        }
        #[cfg(target_os = "linux")]
        {
            self.wake_sleepers(hub);
            self.see_to_signals(hub);
        }
        // The two vectors change places, so that neither grows anew each time.
        let mut posts = hub.seen_posts.take();
        if let Some(inbox) = self.inbox().as_mut() {
            std::mem::swap(inbox, &mut posts);
        }
        // The last one's word counts, because it is about now.
        let mut goes_on = true;
        for post in posts.drain(..) {
            match post {
                Post::Wake(key) => hub.remote_waiters.wake(hub, key),
                Post::Call(call) => goes_on = hub.call_back(|| call(hub)),
            }
        }
        posts.shrink_to(KEPT_ROOM);
        hub.seen_posts.set(posts);
        goes_on
    }

    /// Takes no lock and allocates nothing.
    #[cfg(target_os = "linux")]
    pub(super) fn note_signal(&self, kind: u8) {
        self.signals.fetch_or(kind, Ordering::SeqCst);
        self.call_attention();
    }

    /// Makes those ready whose calls are ended by what has been handled.
    #[cfg(target_os = "linux")]
    pub(super) fn see_to_signals(&self, hub: &Hub) {
        if self.signals.load(Ordering::Relaxed) != 0 {
            hub.signals.wake(self.signals.swap(0, Ordering::SeqCst));
        }
    }

    /// Has the hub note that a sleeper is woken. Takes no lock and allocates nothing. The sleeper exists until
    /// that has happened.
    #[cfg(target_os = "linux")]
    pub(super) fn ring_for(&self, sleeper: *mut Sleeper) {
        let mut first = self.sleepers.load(Ordering::Relaxed);
        loop {
            // SAFETY: see above.
            unsafe { &*sleeper }.next().store(first, Ordering::Relaxed);
            match self.sleepers.compare_exchange_weak(first, sleeper, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(other) => first = other,
            }
        }
        self.call_attention();
    }

    /// Makes those ready who were rung for, in that order.
    #[cfg(target_os = "linux")]
    pub(super) fn wake_sleepers(&self, hub: &Hub) {
        let mut last = self.sleepers.swap(ptr::null_mut(), Ordering::Acquire);
        let mut first = ptr::null_mut();
        // SAFETY: what is in the list exists until it is noted.
        while let Some(sleeper) = unsafe { last.as_ref() } {
            let before = sleeper.next().swap(first, Ordering::Relaxed);
            first = std::mem::replace(&mut last, before);
        }
        // SAFETY: as above. Nobody runs, and so goes away, before this is through.
        while let Some(sleeper) = unsafe { first.as_ref() } {
            first = sleeper.next().load(Ordering::Relaxed);
            sleeper.note(hub);
        }
    }

    /// As [`close`](Self::close), in a forked child: what was posted is the parent's, and so is not
    /// dropped.
    pub(super) fn leave_behind(&self) {
        // A lock that another thread held when the process was forked stays locked.
        if let Ok(mut inbox) = self.inbox.try_lock() {
            std::mem::forget(inbox.take());
        }
    }

    /// No post is accepted any more. Returns those that were, to be dropped: what was posted may own anything.
    pub(super) fn close(&self) -> Vec<Post> {
        self.inbox().take().unwrap_or_default()
    }
}

/// The hub's thread has ended, or is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubGone;

impl std::fmt::Display for HubGone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the hub's thread has ended")
    }
}

impl std::error::Error for HubGone {}

/// A line from elsewhere to a hub. While there is one, the hub sleeps where it would otherwise conclude
/// that nothing can wake it; when the last one goes, it looks again.
struct Line(Arc<Remote>);

impl Line {
    fn to_this_thread() -> Self {
        Self::new(&super::here().remote)
    }

    fn new(remote: &Arc<Remote>) -> Self {
        remote.lines.fetch_add(1, Ordering::SeqCst);
        Self(remote.clone())
    }
}

impl Clone for Line {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.0.lines.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.call_attention();
        }
    }
}

/// A hub as seen from any thread: spawns tasks there.
///
/// While a handle exists, its hub never concludes that nothing can wake it: it sleeps instead of
/// raising [LoopExit](super#waiting).
#[derive(Clone)]
pub struct HubHandle {
    line: Line,
}

impl HubHandle {
    /// A handle to this thread's hub.
    pub fn current() -> Self {
        Self { line: Line::to_this_thread() }
    }

    pub(crate) fn remote(&self) -> &Remote {
        &self.line.0
    }
}

/// Wakes one greenlet from any thread.
pub(crate) struct RemoteWaker {
    remote: Arc<Remote>,
    key: RemoteKey,
}

impl RemoteWaker {
    pub(super) fn new(remote: Arc<Remote>, key: RemoteKey) -> Self {
        Self { remote, key }
    }

    /// Wakes the greenlet if it still waits.
    pub(crate) fn wake(&self) {
        match existing().filter(|hub| Arc::ptr_eq(&hub.remote, &self.remote)) {
            // Not by way of the inbox, with its lock, where the greenlets of one thread wake each other.
            Some(hub) => hub.remote_waiters.wake(hub, self.key),
            // A hub that is gone has nobody to wake.
            None => drop(self.remote.post(Post::Wake(self.key))),
        }
    }
}

/// Wakes those who [wait for the bell](Hub::wait_for_bell) of a hub, from any thread and from within
/// signal handlers.
///
/// While a bell exists, its hub never concludes that nothing can wake it.
pub(crate) struct Bell {
    line: Line,
}

impl Bell {
    /// A bell of this thread's hub.
    pub(crate) fn new() -> Self {
        Self { line: Line::to_this_thread() }
    }

    /// Takes no lock and allocates nothing.
    pub(crate) fn ring(&self) {
        self.line.0.rung.store(true, Ordering::SeqCst);
        self.line.0.call_attention();
    }
}

/// Names a greenlet that waits for another thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RemoteKey {
    slot: usize,
    /// Tells a slot's waiters apart.
    age: u64,
}

/// The greenlets that wait for another thread.
#[derive(Default)]
pub(crate) struct Waiters {
    slots: RefCell<Slab<Waiter>>,
    /// How many of them were not woken.
    unwoken: Cell<usize>,
    next_age: Cell<u64>,
    /// Somebody has come since the hub last asked.
    news: Cell<bool>,
}

struct Waiter {
    fiber: NonNull<Fiber>,
    age: u64,
    woken: bool,
}

impl Waiters {
    /// Whether all were woken. One who was may have been left in the midst of its wait by hand, and still be here.
    pub(super) fn are_woken(&self) -> bool {
        self.unwoken.get() == 0
    }

    /// Whether somebody has begun to wait since this was last called.
    pub(super) fn take_news(&self) -> bool {
        self.news.take()
    }

    /// Whether nobody is in the midst of using it.
    #[cfg(target_os = "linux")]
    pub(super) fn is_at_rest(&self) -> bool {
        self.slots.try_borrow_mut().is_ok()
    }

    pub(crate) fn enter(&self, fiber: &Fiber) -> Entered<'_> {
        let age = self.next_age.get();
        self.next_age.set(age + 1);
        self.news.set(true);
        self.unwoken.set(self.unwoken.get() + 1);
        let slot = self.slots.borrow_mut().insert(Waiter { fiber: NonNull::from(fiber), age, woken: false });
        Entered { waiters: self, key: RemoteKey { slot, age } }
    }

    fn wake(&self, hub: &Hub, key: RemoteKey) {
        if let Some(waiter) = self.slots.borrow_mut().get_mut(key.slot)
            && waiter.age == key.age
        {
            if !std::mem::replace(&mut waiter.woken, true) {
                self.unwoken.set(self.unwoken.get() - 1);
            }
            // SAFETY: the waiter leaves before its greenlet ends.
            hub.make_ready(unsafe { waiter.fiber.as_ref() });
        }
    }
}

/// A place among the waiters, until dropped.
pub(crate) struct Entered<'a> {
    waiters: &'a Waiters,
    key: RemoteKey,
}

impl Entered<'_> {
    pub(crate) fn key(&self) -> RemoteKey {
        self.key
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.waiters.slots.borrow()[self.key.slot].woken
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let waiter = self.waiters.slots.borrow_mut().remove(self.key.slot);
        if !waiter.woken {
            self.waiters.unwoken.set(self.waiters.unwoken.get() - 1);
        }
    }
}
