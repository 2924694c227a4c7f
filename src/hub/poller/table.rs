//! Who watches which descriptor: found by the key of an event, and by the descriptor's number.

use std::os::fd::RawFd;
use std::rc::Rc;

use slab::Slab;

use super::Source;

/// Names a registered source in events: a slot, and an age that tells its users apart, because a
/// slot is used again at once and an event may be late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    slot: u32,
    age: u32,
}

impl Key {
    pub(super) fn to_bits(self) -> u64 {
        u64::from(self.age) << 32 | u64::from(self.slot)
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self { slot: bits as u32, age: (bits >> 32) as u32 }
    }
}

#[derive(Default)]
pub(super) struct Table {
    entries: Slab<Entry>,
    /// The slot of each descriptor's entry, plus one; zero for none.
    by_fd: Vec<u32>,
    next_age: u32,
}

struct Entry {
    age: u32,
    /// As `Rc::as_ptr` gives it. Alive: a source takes its entry out when it is dropped.
    source: *const Source,
}

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Enters a source, whose descriptor has no entry.
    pub(super) fn insert(&mut self, source: &Rc<Source>) -> Key {
        // Slots stay far below 2^32; the greatest age is skipped, because the greatest key is
        // the poller's own.
        let age = self.next_age % (u32::MAX - 1);
        self.next_age = age + 1;
        let slot = self.entries.insert(Entry { age, source: Rc::as_ptr(source) }) as u32;
        let fd = source.raw_fd() as usize;
        if fd >= self.by_fd.len() {
            self.by_fd.resize(fd + 1, 0);
        }
        self.by_fd[fd] = slot + 1;
        Key { slot, age }
    }

    /// Takes out the entry of a source.
    pub(super) fn remove(&mut self, key: Key, fd: RawFd) {
        self.entries.remove(key.slot as usize);
        self.by_fd[fd as usize] = 0;
    }

    /// The source that an event is for, if it is still there.
    pub(super) fn get(&self, key: Key) -> Option<&Source> {
        let entry = self.entries.get(key.slot as usize).filter(|entry| entry.age == key.age)?;
        // SAFETY: see `Entry::source`.
        Some(unsafe { &*entry.source })
    }

    /// The source that watches a descriptor, if one does.
    pub(super) fn by_fd(&self, fd: RawFd) -> Option<Rc<Source>> {
        let slot = self.by_fd.get(fd as usize)?.checked_sub(1)?;
        let source = self.entries[slot as usize].source;
        // SAFETY: alive, and from `Rc::as_ptr`.
        unsafe {
            Rc::increment_strong_count(source);
            Some(Rc::from_raw(source))
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Source)> {
        self.entries.iter().map(|(slot, entry)| {
            // SAFETY: see `Entry::source`.
            (Key { slot: slot as u32, age: entry.age }, unsafe { &*entry.source })
        })
    }
}
