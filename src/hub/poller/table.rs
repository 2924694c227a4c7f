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
    /// By descriptor, so many to a page. One long list would be copied each time it grows, and leave its earlier
    /// places vacant.
    pages: Vec<Option<Box<Page>>>,
    len: usize,
    last_age: Age,
}

/// Sources are alive, and where they were: a source never moves, and takes itself out when it is dropped.
type Page = [Option<NonNull<Source>>; PAGE];

const PAGE: usize = 512;

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Enters a source, whose descriptor has no entry.
    pub(super) fn insert(&mut self, source: &Source) -> Key {
        let fd = source.raw_fd();
        let (page, place) = place_of(fd);
        if page >= self.pages.len() {
            self.pages.resize(page + 1, None);
        }
        let page = self.pages[page].get_or_insert_with(vacant_page);
        page[place] = Some(NonNull::from(source));
        self.len += 1;
        self.last_age = self.last_age % (Age::MAX - 1) + 1;
        Key { fd, age: self.last_age }
    }

    /// Takes out the source of a descriptor, which has one.
    pub(super) fn remove(&mut self, fd: RawFd) {
        let (page, place) = place_of(fd);
        self.pages[page].as_mut().expect("the source is in it")[place] = None;
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
        if let Some(source) = self.watching(key.fd) {
            if steps > 1 {
                prefetch(std::ptr::from_ref(source).cast());
            } else {
                source.prefetch_waiters();
            }
        }
    }

    #[inline]
    fn watching(&self, fd: RawFd) -> Option<&Source> {
        let (page, place) = place_of(fd);
        let source = self.pages.get(page)?.as_ref()?[place]?;
        // SAFETY: see `Page`.
        Some(unsafe { source.as_ref() })
    }

    /// Whether a source watches the descriptor.
    pub(super) fn has(&self, fd: RawFd) -> bool {
        self.watching(fd).is_some()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Source)> {
        let sources = self.pages.iter().flatten().flat_map(|page| page.iter().flatten());
        // SAFETY: see `Page`.
        let sources = sources.map(|source| unsafe { source.as_ref() });
        sources.map(|source| (Key { fd: source.raw_fd(), age: source.age() }, source))
    }
}

/// The number of a descriptor's page, and its place there.
fn place_of(fd: RawFd) -> (usize, usize) {
    (fd as usize / PAGE, fd as usize % PAGE)
}

/// Never on the stack, which may be small.
fn vacant_page() -> Box<Page> {
    vec![None; PAGE].try_into().expect("a page has so many places")
}
