//! The older lookups: `gethostbyname` and its kin, made [away](super::away) from here.
//!
//! What they find is an entry that points into memory beside it. It is made in memory of its own, and then, for the
//! functions that end in `_r`, moved to the caller's; the others keep it until the thread asks for the next.

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::mem::{MaybeUninit, transmute};
use std::ptr;

use greenlet::hub::embed;
use libc::{hostent, size_t, socklen_t};

use super::away::away;
use super::names::{is_address, owned};
use super::next::Next;
use super::raw::set_errno;
use super::take_over::take_over;
use crate::Part;

take_over! { Part::Names =>
    fn gethostbyname(name: *const c_char) -> *mut hostent {
        ours: keep(by_name(name, libc::AF_INET)),
        plain: ptr::null_mut(),
    }

    fn gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent {
        ours: keep(by_name(name, family)),
        plain: ptr::null_mut(),
    }

    fn gethostbyaddr(address: *const c_void, len: socklen_t, family: c_int) -> *mut hostent {
        ours: keep(by_address(address, len, family)),
        plain: ptr::null_mut(),
    }

    fn gethostbyname_r(
        name: *const c_char,
        entry: *mut hostent,
        memory: *mut c_char,
        len: size_t,
        found: *mut *mut hostent,
        problem: *mut c_int,
    ) -> c_int {
        ours: Caller { entry, memory, len, found, problem }.ask(by_name(name, libc::AF_INET)),
        plain: libc::ENOSYS,
    }

    fn gethostbyname2_r(
        name: *const c_char,
        family: c_int,
        entry: *mut hostent,
        memory: *mut c_char,
        len: size_t,
        found: *mut *mut hostent,
        problem: *mut c_int,
    ) -> c_int {
        ours: Caller { entry, memory, len, found, problem }.ask(by_name(name, family)),
        plain: libc::ENOSYS,
    }

    fn gethostbyaddr_r(
        address: *const c_void,
        address_len: socklen_t,
        family: c_int,
        entry: *mut hostent,
        memory: *mut c_char,
        len: size_t,
        found: *mut *mut hostent,
        problem: *mut c_int,
    ) -> c_int {
        ours: Caller { entry, memory, len, found, problem }.ask(by_address(address, address_len, family)),
        plain: libc::ENOSYS,
    }
}

type ByName = unsafe extern "C" fn(
    *const c_char,
    c_int,
    *mut hostent,
    *mut c_char,
    size_t,
    *mut *mut hostent,
    *mut c_int,
) -> c_int;
type ByAddress = unsafe extern "C" fn(
    *const c_void,
    socklen_t,
    c_int,
    *mut hostent,
    *mut c_char,
    size_t,
    *mut *mut hostent,
    *mut c_int,
) -> c_int;

/// See `errno`.
const NETDB_INTERNAL: c_int = -1;

unsafe extern "C" {
    fn __h_errno_location() -> *mut c_int;
}

/// What is asked for.
#[derive(Clone)]
enum Question {
    Name { name: CString, family: c_int },
    Address { address: Vec<u8>, family: c_int },
}

unsafe fn by_name(name: *const c_char, family: c_int) -> Question {
    // SAFETY: the argument of a call that was taken over.
    Question::Name { name: unsafe { owned(name) }.unwrap_or_default(), family }
}

unsafe fn by_address(address: *const c_void, len: socklen_t, family: c_int) -> Question {
    let is_right = matches!((family, len), (libc::AF_INET, 4) | (libc::AF_INET6, 16)) && !address.is_null();
    let address = match is_right {
        // SAFETY: the arguments of a call that was taken over.
        true => unsafe { std::slice::from_raw_parts(address.cast::<u8>(), len as usize) },
        // Which nobody has.
        false => &[],
    };
    Question::Address { address: address.to_vec(), family }
}

/// What was found, or not.
struct Answer {
    result: c_int,
    problem: c_int,
    /// Points into the memory, which stays where it is.
    entry: Option<hostent>,
    memory: Memory,
}

// SAFETY: the entry points to its own memory, or to what lives as long as the process.
unsafe impl Send for Answer {}

/// Room for an entry, no better aligned than that of the caller: the lookup aligns what it writes.
struct Memory {
    words: Vec<u128>,
    skew: usize,
    len: usize,
}

impl Memory {
    fn like(start: usize, len: usize) -> Self {
        const WORD: usize = size_of::<u128>();
        Self { words: vec![0; len / WORD + 2], skew: start % WORD, len }
    }

    fn start(&mut self) -> *mut c_char {
        self.words.as_mut_ptr().wrapping_byte_add(self.skew).cast()
    }
}

impl Question {
    /// Asks libc, which blocks.
    fn ask(&self, mut memory: Memory) -> Answer {
        static BY_NAME: Next = Next::of(c"gethostbyname2_r");
        static BY_ADDRESS: Next = Next::of(c"gethostbyaddr_r");

        let next = match self {
            Self::Name { .. } => BY_NAME.address(),
            Self::Address { .. } => BY_ADDRESS.address(),
        };
        let Some(next) = next else {
            return Answer { result: libc::ENOSYS, problem: NETDB_INTERNAL, entry: None, memory };
        };
        let (mut entry, mut found, mut problem) = (MaybeUninit::<hostent>::uninit(), ptr::null_mut(), 0);
        let (place, start, len) = (entry.as_mut_ptr(), memory.start(), memory.len);
        // SAFETY: these are libc's functions, and what they get is what it says.
        let result = unsafe {
            match self {
                Self::Name { name, family } => {
                    let ask: ByName = transmute(next);
                    ask(name.as_ptr(), *family, place, start, len, &mut found, &mut problem)
                }
                Self::Address { address, family } => {
                    let ask: ByAddress = transmute(next);
                    let (address, address_len) = (address.as_ptr().cast(), address.len() as socklen_t);
                    ask(address, address_len, *family, place, start, len, &mut found, &mut problem)
                }
            }
        };
        // SAFETY: what was found is in the place for it.
        let entry = (result == 0 && !found.is_null()).then(|| unsafe { entry.assume_init() });
        Answer { result, problem, entry, memory }
    }

    /// Asks while others run. An interrupted greenlet is told that it was cancelled.
    fn ask_away(self, start: usize, len: usize) -> Answer {
        let in_text = match &self {
            // SAFETY: it is a C string.
            Self::Name { name, .. } => unsafe { is_address(name.as_ptr()) },
            Self::Address { .. } => false,
        };
        if in_text || !embed::can_wait() {
            return self.ask(Memory::like(start, len));
        }
        away(move || self.ask(Memory::like(start, len))).unwrap_or_else(|| {
            set_errno(libc::ECANCELED);
            let memory = Memory::like(start, 0);
            Answer { result: libc::ECANCELED, problem: NETDB_INTERNAL, entry: None, memory }
        })
    }
}

/// Where the caller of one of the functions with an `_r` wants the answer.
struct Caller {
    entry: *mut hostent,
    memory: *mut c_char,
    len: usize,
    found: *mut *mut hostent,
    problem: *mut c_int,
}

impl Caller {
    /// # Safety
    ///
    /// The arguments are as the functions take them.
    unsafe fn ask(self, question: Question) -> c_int {
        let mut answer = question.ask_away(self.memory as usize, self.len);
        // SAFETY: the caller's word: there is room for what it says that there is, and for the results.
        unsafe {
            *self.problem = answer.problem;
            *self.found = ptr::null_mut();
            if let Some(entry) = answer.entry {
                *self.entry = self.take(entry, answer.memory.start());
                *self.found = self.entry;
            }
        }
        answer.result
    }

    /// Moves what an entry points to into the caller's memory.
    ///
    /// # Safety
    ///
    /// The entry was made in memory from `from` on, of which there is as much as the caller has.
    unsafe fn take(&self, entry: hostent, from: *mut c_char) -> hostent {
        let moved = |pointer: *mut c_char| match (pointer as usize).checked_sub(from as usize) {
            Some(distance) if distance < self.len => self.memory.wrapping_add(distance),
            _ => pointer,
        };
        // SAFETY: the caller's word. Both lists end with a null. They need not be aligned, if the memory is not.
        unsafe {
            ptr::copy_nonoverlapping(from, self.memory, self.len);
            let moved_list = |list: *mut *mut c_char| {
                let list: *mut *mut c_char = moved(list.cast()).cast();
                let mut place = list;
                loop {
                    let pointer = place.read_unaligned();
                    if pointer.is_null() {
                        return list;
                    }
                    place.write_unaligned(moved(pointer));
                    place = place.add(1);
                }
            };
            hostent {
                h_name: moved(entry.h_name),
                h_aliases: moved_list(entry.h_aliases),
                h_addr_list: moved_list(entry.h_addr_list),
                ..entry
            }
        }
    }
}

/// An entry that is somebody's to read, with its memory.
struct Kept(*mut (hostent, Memory));

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: made from a box, and nobody's any more.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

/// Asks, and keeps the answer until the thread asks for another. Null if there is none.
fn keep(question: Question) -> *mut hostent {
    thread_local! {
        static LAST: RefCell<Option<Kept>> = const { RefCell::new(None) };
    }
    const MOST: usize = 1 << 20;

    let mut len = 1024;
    let answer = loop {
        let answer = question.clone().ask_away(0, len);
        if answer.result != libc::ERANGE || len >= MOST {
            break answer;
        }
        len *= 2;
    };
    let Some(entry) = answer.entry else {
        // SAFETY: the thread's own.
        unsafe { *__h_errno_location() = answer.problem };
        return ptr::null_mut();
    };
    let kept = Box::into_raw(Box::new((entry, answer.memory)));
    // At the end of a thread there is nobody left to keep it, and it stays for ever.
    let _ = LAST.try_with(|last| last.replace(Some(Kept(kept))));
    // SAFETY: just made.
    unsafe { &raw mut (*kept).0 }
}
