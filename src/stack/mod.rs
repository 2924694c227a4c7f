//! Floor 1: memory for stacks.
//!
//! A [`Stack`] is a slot of a large [`region`], ends in [`guard`] pages, and comes from the
//! [`pool`] of its thread, to which it returns. [`overflow`] turns a hit on a guard page into
//! a report that a person can act on.
//!
//! This floor does not know what runs on a stack. It must never touch a page that its user
//! has not touched: memory is reserved by the gigabyte and paid for by the page.

mod error;
mod guard;
pub(crate) mod overflow;
mod pool;
mod region;
mod valgrind;

use std::ptr::{self, NonNull};

pub use error::StackError;
pub(crate) use pool::Pool;

use crate::arch::{CACHE_LINE, prefetch};

/// The stack size of a greenlet that asks for none, in bytes.
///
/// Address space, not memory: a page is paid for when it is first touched. What the size does cost is
/// its share of a page table, 4 KiB for each 2 MiB: 256 bytes for 128 KiB. Unoptimised code uses frames
/// several times as large, so debug builds reserve more.
pub const DEFAULT_STACK_SIZE: usize = if cfg!(debug_assertions) { 1024 * 1024 } else { 128 * 1024 };

/// The smallest stack there is, in bytes; a smaller request gets this.
pub const MIN_STACK_SIZE: usize = 16 * 1024;

/// A guard takes page tables, as memory does, though nothing else.
const LARGEST_GUARD: usize = 64 * 1024;

/// First frames start at one of this many places in their page, so that the hot lines of many
/// parked stacks spread over the cache's sets instead of fighting for one.
const STAGGER_PLACES: usize = 16;
const STAGGER_STEP: usize = 64;

/// So many cache lines are worth being fetched before a stack is used: what begins there and soon waits.
const FIRST_LINES: usize = 11;

/// A stack in use, in one word: where its first frame goes, and its class in the bits that are zero
/// there. Whoever holds it gives it back to the pool it came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stack(NonNull<u8>);

impl Stack {
    /// First frames are so far apart, and no class needs more bits.
    const CLASS_BITS: usize = STAGGER_STEP - 1;
    /// First frames are within so many bytes of the end of their slot.
    const STAGGERED: usize = STAGGER_PLACES * STAGGER_STEP;

    /// The stack that ends at `end`, a page boundary.
    fn new(end: NonNull<u8>, class: SizeClass) -> Self {
        let place = (end.addr().get() >> class.0) % STAGGER_PLACES;
        // SAFETY: a slot is at least MIN_STACK_SIZE long, the offset less than 1 KiB.
        let top = unsafe { end.sub(place * STAGGER_STEP) };
        Self(top.map_addr(|top| top | usize::from(class.0)))
    }

    #[inline]
    fn end(self) -> NonNull<u8> {
        let above = self.top().addr().get() % Self::STAGGERED;
        // SAFETY: the top is less than this below the end, which is a multiple of it.
        unsafe { self.top().add((Self::STAGGERED - above) % Self::STAGGERED) }
    }

    #[inline]
    fn class(self) -> SizeClass {
        SizeClass((self.0.addr().get() & Self::CLASS_BITS) as u8)
    }

    /// Where the first frame goes; 16-byte aligned.
    #[inline]
    pub(crate) fn top(self) -> NonNull<u8> {
        // Of an offset, which keeps the provenance, three instructions are made; a mask is one.
        let top = ptr::with_exposed_provenance_mut(self.0.addr().get() & !Self::CLASS_BITS);
        // SAFETY: without the class it is the address of the top, which is not null.
        unsafe { NonNull::new_unchecked(top) }
    }

    /// The lowest address of the slot, which is where the guard is.
    #[inline]
    pub(crate) fn guard(self) -> usize {
        self.end().addr().get() - self.size()
    }

    /// The lowest address above the guard.
    pub(crate) fn low(self) -> usize {
        self.guard() + self.class().guard_bytes()
    }

    /// Has the processor fetch what first frames are written to.
    #[inline]
    fn prefetch(self) {
        (1..=FIRST_LINES).for_each(|line| self.prefetch_line(line));
    }

    /// Has the processor fetch one line of it, counted from the top.
    #[inline]
    fn prefetch_line(self, line: usize) {
        prefetch(self.top().as_ptr().wrapping_sub(line * CACHE_LINE));
    }

    /// The whole slot in bytes, guard included.
    #[inline]
    pub(crate) fn size(self) -> usize {
        self.class().bytes()
    }
}

const _: () = assert!(SizeClass::LARGEST as usize <= Stack::CLASS_BITS);

/// The size of a slot, as a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SizeClass(u8);

impl SizeClass {
    const SMALLEST: u8 = MIN_STACK_SIZE.trailing_zeros() as u8;
    const LARGEST: u8 = 34;
    const COUNT: usize = (Self::LARGEST - Self::SMALLEST + 1) as usize;

    /// The class of [`DEFAULT_STACK_SIZE`].
    pub(crate) const DEFAULT: Self = Self(DEFAULT_STACK_SIZE.trailing_zeros() as u8);

    /// The class that holds `bytes`, a guard page, and at least one page more.
    #[inline]
    pub(crate) fn for_bytes(bytes: usize) -> Result<Self, StackError> {
        let smallest = MIN_STACK_SIZE.max(2 * page_size());
        let class = bytes
            .max(smallest)
            .checked_next_power_of_two()
            .map(|size| size.trailing_zeros() as u8)
            .filter(|&class| class <= Self::LARGEST);
        class.map(Self).ok_or_else(|| StackError::too_large(bytes, 1 << Self::LARGEST))
    }

    #[inline]
    pub(crate) fn bytes(self) -> usize {
        1 << self.0
    }

    /// How much of it is guard. It is more than the page that would do for Rust, which touches each page
    /// of a large frame: a function of C may go down by its whole frame and touch only the end.
    pub(crate) fn guard_bytes(self) -> usize {
        (self.bytes() / 16).clamp(page_size(), LARGEST_GUARD.max(page_size()))
    }

    fn index(self) -> usize {
        usize::from(self.0 - Self::SMALLEST)
    }
}

/// The size of a memory page in bytes.
#[cfg(target_arch = "x86_64")]
pub(crate) const fn page_size() -> usize {
    4096
}

/// The size of a memory page in bytes, which the system chooses on this architecture.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn page_size() -> usize {
    static PAGE: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    // SAFETY: sysconf only reads.
    *PAGE.get_or_init(|| unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize)
}
