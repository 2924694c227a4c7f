//! A block is tried before any is used.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;

use super::error::Reason;
use super::glibc::Glibc;
use super::{Anchor, Base, Block, images, on_base};

const FRESH: usize = 0x5eed_5eed;

thread_local! {
    /// Something to look at from two sides.
    static MARK: Cell<usize> = const { Cell::new(FRESH) };
}

fn base() -> *mut u8 {
    Base::in_force().address()
}

/// What was seen with the block in force.
struct Seen {
    base: Base,
    own: bool,
    tid: i32,
    errno: *mut c_int,
    mark: (*const (), usize),
    allocates: bool,
    destructors: Option<isize>,
}

/// Makes a block, looks around in it, and finds in it what nothing tells.
pub(super) fn run(glibc: &mut Glibc) -> Result<(), Reason> {
    // SAFETY: asks for a place.
    let (errno, mark) = unsafe { (libc::__errno_location(), locate_mark()) };
    MARK.set(!FRESH);
    let block = Block::new(glibc, Anchor { locate: locate_mark, len: size_of::<Cell<usize>>() });
    // SAFETY: nobody else uses it. What looks around neither unwinds nor switches.
    let seen = unsafe { on_base(block.base(), || look_around(glibc)) };
    MARK.set(FRESH);
    let moved = |from: usize, to: usize| to.wrapping_sub(from);
    let shift = moved(base().addr(), block.base().address().addr());
    let checks = [
        (seen.base == block.base() && seen.own, "a new block of storage does not become a thread's"),
        (seen.tid >= 0x2000_0000, "the number of a thread is not in its place in a new block"),
        (moved(errno.addr(), seen.errno.addr()) == shift, "errno does not move with the storage"),
        (seen.mark.0 != mark && seen.mark.1 == FRESH, "a thread-local is not fresh in new storage"),
        (seen.allocates, "there is no allocating in new storage"),
        (images::are_found(glibc), "the loader's records of its modules have another layout"),
    ];
    if let Some((_, what)) = checks.into_iter().find(|(holds, _)| !holds) {
        return Err(Reason::Layout(what));
    }
    glibc.destructors = seen.destructors.ok_or(Reason::Layout("its list of destructors is not found"))?;
    Ok(())
}

unsafe extern "C" fn locate_mark() -> *const () {
    MARK.with(|mark| ptr::from_ref(mark).cast())
}

/// Runs with the block in force.
fn look_around(glibc: &Glibc) -> Seen {
    // SAFETY: reads the control block in force; allocates and frees.
    unsafe {
        let memory = libc::malloc(64);
        libc::free(memory);
        Seen {
            base: Base::in_force(),
            own: glibc.is_threads_own(base()),
            tid: base().offset(glibc.tid).cast::<i32>().read(),
            errno: libc::__errno_location(),
            mark: (locate_mark(), MARK.get()),
            allocates: !memory.is_null(),
            destructors: find_destructors(glibc),
        }
    }
}

/// Where the library has the list of registered destructors: the word among its thread-locals that is null
/// but while one is registered.
///
/// # Safety
///
/// The storage in force is nobody's.
unsafe fn find_destructors(glibc: &Glibc) -> Option<isize> {
    unsafe extern "C" {
        fn __cxa_thread_atexit_impl(
            destructor: unsafe extern "C" fn(*mut c_void),
            object: *mut c_void,
            module: *mut c_void,
        ) -> c_int;
    }
    unsafe extern "C" fn nothing(_: *mut c_void) {}
    // Anything of this module tells which one it is.
    let module = nothing as *mut c_void;
    // SAFETY: registers and calls what does nothing.
    let register = || unsafe { __cxa_thread_atexit_impl(nothing, ptr::null_mut(), module) };
    // SAFETY: as above.
    let call = || unsafe { (glibc.call_destructors)() };
    // What is made on first use is not to be taken for it.
    register();
    call();
    let (words, count) = images::of_module(glibc.own_modules[0])?;
    // SAFETY: the library's thread-locals are there as long as the storage.
    let snapshot = || (0..count).map(|index| unsafe { words.add(index).read_volatile() }).collect::<Vec<_>>();
    let before = snapshot();
    register();
    let with = snapshot();
    call();
    let after = snapshot();
    let changed = |index: &usize| before[*index] == 0 && with[*index] != 0 && after[*index] == 0;
    let mut found = (0..before.len()).filter(changed);
    let only = found.next().filter(|_| found.next().is_none())?;
    Some(words.wrapping_add(only).addr().wrapping_sub(base().addr()).cast_signed())
}
