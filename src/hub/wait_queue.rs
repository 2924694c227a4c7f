//! Who waits for one thing, first in, first out: a list through nodes on the waiters' stacks.
//!
//! A greenlet may wait in several queues at once. Whoever wakes it through one of them takes it out
//! of the others there and then, so that no other wake is spent on it.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use super::{Fiber, Hub, watch};
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::arch::prefetch;
use crate::greenlet::core::Core;
#[cfg(target_os = "linux")]
use crate::greenlet::counting::Kept;

/// A queue of parked greenlets. Each may have brought something for whoever wakes it.
pub(crate) struct WaitQueue<C = ()> {
    ends: Ends,
    brought: PhantomData<Cell<C>>,
}

/// One word, because there are many queues and most are empty: the first node knows the last one.
struct Ends {
    first: Cell<*const Link>,
}

/// A place in a queue, on the stack of the one who waits, with what it brought.
#[repr(C)]
pub(crate) struct Node<C = ()> {
    link: Link,
    cargo: C,
}

struct Link {
    waiter: Cell<Waiter>,
    next: Cell<*const Link>,
    /// Of the first one, the last.
    previous: Cell<*const Link>,
    /// The queue that it is in; null before, and once it is woken.
    queue: Cell<*const Ends>,
    /// The next one of the same greenlet, in a ring; null if it is the only one.
    sibling: Cell<*const Link>,
}

/// Who is told of a wake.
#[derive(Clone, Copy)]
enum Waiter {
    Nobody,
    Fiber(NonNull<Fiber>),
    /// Who may end while the node is still in its queue, see [`WaitQueue::enter_kept`].
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "calls of other code are Linux's"))]
    Kept(NonNull<Core>),
    /// In a [watch](super::Watch), which has a node for each thing.
    Watched(NonNull<watch::Place>),
}

impl<C> Node<C> {
    pub(crate) const fn new(cargo: C) -> Self {
        let link = Link {
            waiter: Cell::new(Waiter::Nobody),
            next: Cell::new(ptr::null()),
            previous: Cell::new(ptr::null()),
            queue: Cell::new(ptr::null()),
            sibling: Cell::new(ptr::null()),
        };
        Self { link, cargo }
    }

    pub(crate) fn cargo(&self) -> &C {
        &self.cargo
    }

    pub(crate) fn into_cargo(self) -> C {
        self.cargo
    }

    #[inline]
    fn wake(&self, make_ready: impl FnOnce(&Fiber)) {
        // SAFETY: set when it entered its queue; the greenlet, or the watch, takes its node out before it
        // ends.
        unsafe {
            match self.link.waiter.get() {
                Waiter::Fiber(fiber) => make_ready(fiber.as_ref()),
                // One that has ended has no record.
                Waiter::Kept(core) => {
                    core.as_ref().record.get().cast::<Fiber>().as_ref().map_or((), make_ready)
                }
                Waiter::Watched(place) => place.as_ref().note(make_ready),
                Waiter::Nobody => {}
            }
        }
    }

    /// Whether nobody has woken it yet.
    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        !self.link.queue.get().is_null()
    }

    /// Whether a node that joined a [ring](Ring) is the one through which its greenlet was woken.
    pub(crate) fn is_chosen(&self) -> bool {
        !self.is_queued() && self.link.sibling.get().is_null()
    }

    /// Takes it out, if it is still there.
    #[inline]
    pub(crate) fn leave(&self) {
        if self.is_queued() {
            self.link.remove();
        }
    }

    /// Its address, from which the cargo can be reached as well.
    fn as_link(&self) -> *const Link {
        ptr::from_ref(self).cast()
    }
}

impl Link {
    /// Takes it out of the queue that it is in.
    #[inline]
    fn remove(&self) {
        // SAFETY: a queue outlives the nodes in it.
        let ends = unsafe { &*self.queue.get() };
        let (first, previous, next) = (ends.first.get(), self.previous.get(), self.next.get());
        if ptr::eq(first, self) {
            ends.first.set(next);
        } else {
            // SAFETY: neighbours of a node in the queue are alive.
            unsafe { &*previous }.next.set(next);
        }
        // Where it was the last one, the first one is told of the new last.
        let told = if next.is_null() { first } else { next };
        // SAFETY: as above; if it was alone, that is this node.
        unsafe { &*told }.previous.set(previous);
        self.queue.set(ptr::null());
    }

    /// Takes the greenlet's other nodes out of their queues. It stands alone then, which tells it from
    /// those.
    #[cold]
    fn remove_siblings(&self) {
        let mut sibling = self.sibling.get();
        while !ptr::eq(sibling, self) {
            // SAFETY: the nodes of a ring are alive as long as one of them may be woken.
            let link = unsafe { &*sibling };
            if !link.queue.get().is_null() {
                link.remove();
            }
            sibling = link.sibling.get();
        }
        self.sibling.set(ptr::null());
    }
}

impl<C> std::fmt::Debug for WaitQueue<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_empty() { "nobody waits" } else { "somebody waits" })
    }
}

impl<C> Default for WaitQueue<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> WaitQueue<C> {
    pub(crate) const fn new() -> Self {
        Self { ends: Ends { first: Cell::new(ptr::null()) }, brought: PhantomData }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.first.get().is_null()
    }

    /// Has the processor fetch the first one's node.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn prefetch(&self) {
        prefetch(self.ends.first.get().cast());
    }

    /// How many wait. Takes time: it counts them.
    pub(crate) fn len(&self) -> usize {
        let mut len = 0;
        // SAFETY: nodes in the queue are alive.
        let mut next = unsafe { self.ends.first.get().as_ref() };
        while let Some(link) = next {
            len += 1;
            // SAFETY: as above.
            next = unsafe { link.next.get().as_ref() };
        }
        len
    }

    /// What the first one brought.
    #[inline]
    pub(crate) fn first(&self) -> Option<C>
    where
        C: Copy,
    {
        // SAFETY: nodes in the queue are alive, and a queue of C has nodes of C only.
        unsafe { self.ends.first.get().cast::<Node<C>>().as_ref() }.map(|node| node.cargo)
    }

    /// Puts a node of the greenlet at the end.
    ///
    /// # Safety
    ///
    /// Until the node is woken or has [left](Node::leave), it does not move, and the greenlet and the
    /// queue are alive.
    #[inline]
    pub(crate) unsafe fn enter(&self, node: &Node<C>, fiber: &Fiber) {
        self.push(node, Waiter::Fiber(NonNull::from(fiber)));
    }

    /// As [`enter`](Self::enter), for a call of somebody else's code: that may be part of a generator's body, which is
    /// left in the midst of it, and the greenlet ends meanwhile.
    ///
    /// # Safety
    ///
    /// Until the node is woken or has [left](Node::leave), it does not move, and the count and the queue are there.
    #[cfg(target_os = "linux")]
    pub(super) unsafe fn enter_kept(&self, node: &Node<C>, greenlet: &Kept) {
        self.push(node, Waiter::Kept(greenlet.core()));
    }

    #[inline]
    fn push(&self, node: &Node<C>, waiter: Waiter) {
        let link = node.as_link();
        node.link.waiter.set(waiter);
        node.link.next.set(ptr::null());
        node.link.queue.set(&self.ends);
        // SAFETY: nodes in the queue are alive.
        let last = match unsafe { self.ends.first.get().as_ref() } {
            Some(first) => {
                let last = first.previous.replace(link);
                // SAFETY: as above.
                unsafe { &*last }.next.set(link);
                last
            }
            None => {
                self.ends.first.set(link);
                link
            }
        };
        node.link.previous.set(last);
    }

    /// Takes the first one out of this queue and its greenlet out of all others.
    #[inline]
    fn take_first(&self) -> Option<&Node<C>> {
        let first = NonNull::new(self.ends.first.get().cast_mut())?;
        // SAFETY: nodes in the queue are alive, and a queue of C has nodes of C only. The greenlet does
        // not run, and so does not end its node, before it is made ready.
        let node = unsafe { first.cast::<Node<C>>().as_ref() };
        let next = node.link.next.get();
        self.ends.first.set(next);
        // SAFETY: neighbours of a node in the queue are alive.
        if let Some(next) = unsafe { next.as_ref() } {
            next.previous.set(node.link.previous.get());
        }
        node.link.queue.set(ptr::null());
        if !node.link.sibling.get().is_null() {
            node.link.remove_siblings();
        }
        Some(node)
    }

    /// Takes out the first one and makes it ready, after `hand_over` has seen what it brought. None
    /// if nobody waits who could be woken: once the hub has ended, those who are still here were abandoned.
    // In a queue's put and get a call of its own would be 5 %.
    #[inline(always)]
    pub(crate) fn wake_first<R>(&self, hand_over: impl FnOnce(&C) -> R) -> Option<R> {
        if self.is_empty() { None } else { self.wake_first_in(super::existing()?, hand_over) }
    }

    #[inline(always)]
    fn wake_first_in<R>(&self, hub: &Hub, hand_over: impl FnOnce(&C) -> R) -> Option<R> {
        let node = self.take_first()?;
        let handed = hand_over(&node.cargo);
        node.wake(|fiber| hub.make_ready(fiber));
        Some(handed)
    }

    /// Makes the first one ready and takes it out; false if there is none that [could be](Self::wake_first).
    #[inline]
    pub(crate) fn wake_one(&self) -> bool {
        self.wake_first(|_| ()).is_some()
    }

    /// Makes everybody ready who waits now.
    #[inline]
    pub(crate) fn wake_all(&self) {
        if !self.is_empty()
            && let Some(hub) = super::existing()
        {
            while self.wake_first_in(hub, |_| ()).is_some() {}
        }
    }

    /// As [`wake_all`](Self::wake_all), through another way to make ready.
    pub(crate) fn drain(&self, mut make_ready: impl FnMut(&Fiber)) {
        while self.wake_through(&mut make_ready) {}
    }

    /// Makes those ready who have brought what suits, and stay until they leave.
    pub(super) fn wake_where(&self, suits: impl Fn(&C) -> bool, mut make_ready: impl FnMut(&Fiber)) {
        self.for_each_node(|node| {
            if suits(&node.cargo) {
                node.wake(&mut make_ready);
            }
        });
    }

    /// Shows what each has brought.
    pub(super) fn for_each(&self, mut f: impl FnMut(&C)) {
        self.for_each_node(|node| f(&node.cargo));
    }

    fn for_each_node(&self, mut f: impl FnMut(&Node<C>)) {
        // SAFETY: nodes in the queue are alive, and a queue of C has nodes of C only.
        let mut next = unsafe { self.ends.first.get().cast::<Node<C>>().as_ref() };
        while let Some(node) = next {
            f(node);
            // SAFETY: as above; who is made ready leaves later.
            next = unsafe { node.link.next.get().cast::<Node<C>>().as_ref() };
        }
    }

    /// As [`wake_one`](Self::wake_one), through another way to make ready.
    pub(super) fn wake_through(&self, make_ready: impl FnOnce(&Fiber)) -> bool {
        self.take_first().map(|node| node.wake(make_ready)).is_some()
    }
}

impl WaitQueue {
    /// Puts a watch's node at the end.
    ///
    /// # Safety
    ///
    /// As for [`enter`](Self::enter), with the place in place of the greenlet.
    pub(super) unsafe fn enter_watched(&self, node: &Node, place: &watch::Place) {
        self.push(node, Waiter::Watched(NonNull::from(place)));
    }
}

/// The nodes of one greenlet that waits in several queues.
pub(crate) struct Ring {
    last: Cell<*const Link>,
}

impl Ring {
    pub(crate) const fn new() -> Self {
        Self { last: Cell::new(ptr::null()) }
    }

    /// Makes the node one of them.
    ///
    /// # Safety
    ///
    /// The node does not move and stays alive as long as one of them is in a queue.
    pub(crate) unsafe fn join<C>(&self, node: &Node<C>) {
        let link = node.as_link();
        // SAFETY: by the caller's word.
        match unsafe { self.last.replace(link).as_ref() } {
            Some(last) => node.link.sibling.set(last.sibling.replace(link)),
            None => node.link.sibling.set(link),
        }
    }
}

/// A greenlet's place in a queue. Dropped, it is left; what the greenlet was woken for and does not
/// get, because it is unwound, goes to somebody else.
pub(crate) struct Place<'a, C> {
    node: &'a Node<C>,
    pass_on: &'a dyn Fn(),
}

impl<'a, C> Place<'a, C> {
    /// Enters a queue.
    ///
    /// # Safety
    ///
    /// The node does not move before this is dropped, and this is dropped or [left](Self::leave),
    /// while the greenlet and the queue are alive.
    #[inline]
    pub(crate) unsafe fn in_queue(
        queue: &'a WaitQueue<C>,
        node: &'a Node<C>,
        fiber: &Fiber,
        pass_on: &'a dyn Fn(),
    ) -> Self {
        // SAFETY: by the caller's word; dropped, this leaves.
        unsafe { queue.enter(node, fiber) };
        Self { node, pass_on }
    }

    /// Leaves the queue. Whether the greenlet was woken from there, and so has what it waited for.
    #[inline]
    pub(crate) fn leave(self) -> bool {
        let woken = !self.node.is_queued();
        self.node.leave();
        std::mem::forget(self);
        woken
    }
}

impl<C> Drop for Place<'_, C> {
    fn drop(&mut self) {
        if self.node.is_queued() {
            self.node.leave();
        } else {
            (self.pass_on)();
        }
    }
}

/// Takes the nodes out of their queues when dropped.
pub(super) struct Leaving<'a, C>(pub(super) &'a [Node<C>]);

impl<C> Drop for Leaving<'_, C> {
    fn drop(&mut self) {
        self.0.iter().for_each(Node::leave);
    }
}
