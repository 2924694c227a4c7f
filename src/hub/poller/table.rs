//! Who watches which descriptor: found by its number.

use std::os::fd::RawFd;
use std::ptr::NonNull;

use super::Source;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::arch::prefetch;

/// Names a registered source in events: its descriptor, and an age that tells those apart which have
/// had that number, because a number is used again at once and an event may be late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    fd: RawFd,
    age: Age,
}

/// Zero is nobody's, and the greatest is the poller's own.
pub(super) type Age = u32;

impl Key {
    pub(super) fn to_bits(self) -> u64 {
        u64::from(self.age) << 32 | u64::from(self.fd as u32)
    }

    /// For somebody else's descriptor. No source's key is the same.
    pub(super) fn outside(fd: RawFd) -> Self {
        Self { fd, age: OUTSIDE }
    }

    /// The descriptor, if it is somebody else's.
    pub(super) fn outside_fd(self) -> Option<RawFd> {
        (self.age == OUTSIDE).then_some(self.fd)
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self { fd: bits as u32 as RawFd, age: (bits >> 32) as Age }
    }

    pub(super) fn age(self) -> Age {
        self.age
    }
}

/// The age in the keys of descriptors that are not in the table.
const OUTSIDE: Age = 0;

#[derive(Default)]
pub(super) struct Table {
    /// By descriptor. Alive, and where they were: a source never moves, and takes itself out when it is
    /// dropped.
    sources: Vec<Option<NonNull<Source>>>,
    len: usize,
    last_age: Age,
}

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Enters a source, whose descriptor has no entry.
    pub(super) fn insert(&mut self, source: &Source) -> Key {
        let fd = source.raw_fd();
        let place = fd as usize;
        if place >= self.sources.len() {
            self.sources.resize(place + 1, None);
        }
        self.sources[place] = Some(NonNull::from(source));
        self.len += 1;
        self.last_age = self.last_age % (Age::MAX - 1) + 1;
        Key { fd, age: self.last_age }
    }

    /// Takes out the source of a descriptor, which has one.
    pub(super) fn remove(&mut self, fd: RawFd) {
        self.sources[fd as usize] = None;
        self.len -= 1;
    }

    /// The source that an event is for, if it is still there.
    #[inline]
    pub(super) fn get(&self, key: Key) -> Option<&Source> {
        self.watching(key.fd).filter(|source| source.age() == key.age)
    }

    /// Has the processor fetch what an event needs that is so many events ahead: first its source, and when that
    /// is there, who waits. With many connections neither is in the caches.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[inline(always)]
    pub(super) fn look_ahead(&self, key: Key, steps: usize) {
        if let Some(&Some(source)) = self.sources.get(key.fd as usize) {
            if steps > 1 {
                prefetch(source.as_ptr().cast());
            } else {
                // SAFETY: see `sources`.
                unsafe { source.as_ref() }.prefetch_waiters();
            }
        }
    }

    fn watching(&self, fd: RawFd) -> Option<&Source> {
        let source = (*self.sources.get(fd as usize)?)?;
        // SAFETY: see `sources`.
        Some(unsafe { source.as_ref() })
    }

    /// Whether a source watches the descriptor.
    pub(super) fn has(&self, fd: RawFd) -> bool {
        self.watching(fd).is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Source)> {
        // SAFETY: see `sources`.
        let sources = self.sources.iter().flatten().map(|source| unsafe { source.as_ref() });
        sources.map(|source| (Key { fd: source.raw_fd(), age: source.age() }, source))
    }
}
