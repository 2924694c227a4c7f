//! One block: making it, having it in force for the time of a call, and what its user leaves behind.

use std::alloc::{Layout, handle_alloc_error};
use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use super::glibc::{Glibc, glibc, word};
use super::{Anchor, Base, images, keys, on_base, target};

/// A block of thread-local storage, which belongs to nobody but its user.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block(NonNull<Record>);

/// What this crate keeps of a block, which stays for ever.
struct Record {
    base: Base,
    /// Where the caller's thread-local is in it.
    anchor: *const (),
    /// The one below it in a pool's pile.
    below: Cell<Option<Block>>,
    /// The state of the resolver: without one of its own, a thread would share the sockets of others.
    resolver: UnsafeCell<ResolverState>,
}

/// `struct __res_state`, which is part of the interface of every 64-bit glibc.
type ResolverState = [u64; 568 / 8];

/// What `uselocale` takes for the locale of the process (`LC_GLOBAL_LOCALE`).
const GLOBAL_LOCALE: libc::locale_t = ptr::without_provenance_mut(usize::MAX);

// SAFETY: an idle block belongs to no thread: the library keeps nothing in it that is one thread's.
unsafe impl Send for Block {}

/// Numbers for the locks that remember their owner. The kernel gives out none as large, and a lock's word
/// has room for larger ones.
static NEXT_TID: AtomicU32 = AtomicU32::new(0x2000_0000);

impl Block {
    /// Makes a block.
    pub(super) fn new(glibc: &Glibc, anchor: Anchor) -> Self {
        // SAFETY: makes a block from memory of its own.
        let new = unsafe { (glibc.allocate)(ptr::null_mut()) };
        if new.is_null() {
            handle_alloc_error(Layout::new::<[u8; 4096]>());
        }
        // SAFETY: a new block, and all places are in its control block.
        unsafe { fill_in(glibc, new, Base::in_force().address()) };
        let resolver = UnsafeCell::new([0; _]);
        let (base, nowhere, below) = (Base::of(new), ptr::null(), Cell::new(None));
        let record = Record { base, anchor: nowhere, below, resolver };
        let record = Box::leak(Box::new(record));
        let resolver = record.resolver.get();
        // SAFETY: nobody else uses the block, and it is filled in as that of a new thread.
        record.anchor = unsafe {
            on_base(Base::of(new), || {
                new.offset(glibc.resolver).cast::<*mut ResolverState>().write(resolver);
                (glibc.init_ctype)();
                (anchor.locate)()
            })
        };
        Self(NonNull::from(record))
    }

    fn record(&self) -> &Record {
        // SAFETY: leaked by `new`, and not written any more but in cells.
        unsafe { self.0.as_ref() }
    }

    /// By which it is found.
    pub(crate) fn base(self) -> Base {
        self.record().base
    }

    /// Where in it the thread-local is that its maker asked for.
    pub(crate) fn anchor(self) -> *const () {
        self.record().anchor
    }

    /// For the pool that it is in: the block below it.
    pub(super) fn below(&self) -> &Cell<Option<Block>> {
        &self.record().below
    }

    /// Makes a used block look like a new one, but for the thread-local that its maker asked for, which is
    /// that long.
    ///
    /// # Safety
    ///
    /// Nobody uses the block, and [`is_clean`](Self::is_clean).
    pub(super) unsafe fn renew(self, anchor_len: usize) {
        let glibc = glibc();
        let anchor = self.anchor().addr();
        // SAFETY: the caller's word. What is called knows of no caller.
        unsafe {
            on_base(self.base(), || {
                images::renew(glibc, anchor..anchor + anchor_len);
                libc::uselocale(GLOBAL_LOCALE);
                *libc::__errno_location() = 0;
            });
        }
    }

    /// Ends what the user of the block, which is in force, has made in it: runs the destructors of
    /// thread-locals, then those of the values of keys, and closes the resolver. As at the end of a thread,
    /// except that there the user goes first.
    pub(crate) fn end_user(self) {
        let glibc = glibc();
        let resolver = self.record().resolver.get();
        // SAFETY: the block is in force, so these are its own.
        unsafe {
            self.call_destructors();
            keys::end(glibc, self.base().address());
            self.call_destructors();
            // A state that was used has numbers of seconds and of tries.
            if (*resolver)[0] != 0 {
                (glibc.close_resolver)(resolver.cast::<c_void>());
                *resolver = [0; _];
            }
        }
    }

    /// # Safety
    ///
    /// The block is in force.
    unsafe fn call_destructors(self) {
        if !self.is_clean() {
            // SAFETY: the caller's word.
            unsafe { (glibc().call_destructors)() };
        }
    }

    /// Whether no destructor waits to be run.
    pub(super) fn is_clean(self) -> bool {
        // SAFETY: a word of the block.
        unsafe { self.base().address().offset(glibc().destructors).cast::<usize>().read() == 0 }
    }
}

/// Fills in what the loader leaves to whoever makes a thread.
///
/// # Safety
///
/// `new` is the base of a new block, and `own` that of this thread.
unsafe fn fill_in(glibc: &Glibc, new: *mut u8, own: *mut u8) {
    // SAFETY: the caller's word; all places have been checked.
    unsafe {
        target::fill_in_header(new, own, glibc.control_block);
        let put = |place: isize, value: usize| new.offset(place).cast::<usize>().write(value);
        let put_link = |place: isize, to: isize| put(place, new.wrapping_offset(to).addr());
        new.offset(glibc.tid).cast::<u32>().write(NEXT_TID.fetch_add(1, Ordering::Relaxed));
        // A list of itself alone: a forked child takes its own out of the list.
        put_link(glibc.list, glibc.list);
        put_link(glibc.list + 8, glibc.list);
        put_link(glibc.key_levels, glibc.first_level);
        // An empty list is one that ends in itself. The kernel is not told of it.
        put_link(glibc.robust - 8, glibc.robust);
        put_link(glibc.robust, glibc.robust);
        put(glibc.robust + 8, word(own, glibc.robust + 8));
        if let Some(rseq) = glibc.rseq {
            /// "Registration has failed": ask the kernel which processor this is.
            const NOT_REGISTERED: i32 = -2;
            new.offset(rseq + 4).cast::<i32>().write(NOT_REGISTERED);
        }
    }
}
