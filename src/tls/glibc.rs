//! What has to be known of glibc: found by name at run time, and never assumed.
//!
//! The places of fields come from the descriptors that the library exports for debuggers, and from what
//! the calling thread's own control block holds in places that something else tells. What is found is
//! tried on a block before it is used.

use std::ffi::{CStr, c_int, c_void};
use std::mem;
use std::sync::OnceLock;
use std::thread;

use super::error::{OwnTlsError, Reason};
use super::{Base, target, trial};

/// Keys of the first level are in the control block itself, so many of them.
pub(super) const KEYS_A_LEVEL: usize = 32;
pub(super) const KEY_LEVELS: usize = 32;

/// The size of the head of a list of robust mutexes, by the interface of the kernel.
const ROBUST_LIST: usize = 24;
/// How far it is from the link in a robust mutex to its lock, which is the first word.
const LINK_TO_LOCK: usize = 0_usize.wrapping_sub(32);

type Allocate = unsafe extern "C" fn(*mut c_void) -> *mut u8;
type Call = unsafe extern "C" fn();
type CallWith = unsafe extern "C" fn(*mut c_void);

/// What one key is set to in one thread: a sequence number and a value.
pub(super) type KeyData = [usize; 2];

/// A key: a sequence number, odd while it is in use, and a destructor.
#[repr(C)]
pub(super) struct Key {
    pub(super) sequence: usize,
    pub(super) destructor: Option<CallWith>,
}

/// The functions and places that blocks are made with. Places count from the thread base.
pub(super) struct Glibc {
    /// Makes a block, from memory of its own if given null.
    pub(super) allocate: Allocate,
    /// Runs the destructors of the thread-locals of C++ and Rust.
    pub(super) call_destructors: Call,
    /// Fills in the tables of `isalpha` and its kin.
    pub(super) init_ctype: Call,
    pub(super) close_resolver: CallWith,
    /// The keys of the process, an array.
    pub(super) keys: *const Key,
    /// The size of the control block.
    size: usize,
    pub(super) control_block: isize,
    pub(super) tid: isize,
    /// The link in the list of all threads.
    pub(super) list: isize,
    /// What keys are set to: pointers to levels of them, the first of which is in the control block.
    pub(super) key_levels: isize,
    pub(super) first_level: isize,
    /// The head of the list of robust mutexes.
    pub(super) robust: isize,
    /// The registration of restartable sequences, if the library makes any.
    pub(super) rseq: Option<isize>,
    /// The pointer to the resolver's state.
    pub(super) resolver: isize,
    /// The list of the destructors that are registered.
    pub(super) destructors: isize,
    /// In the loader's record of a module: where its thread-locals are in each block, if in the part that all
    /// have.
    pub(super) static_offset: usize,
    /// Where the library and its loader are loaded. Their own thread-locals are theirs to initialise.
    pub(super) own_modules: [usize; 2],
}

// SAFETY: what it points to belongs to the process.
unsafe impl Send for Glibc {}
// SAFETY: as above.
unsafe impl Sync for Glibc {}

static FOUND: OnceLock<Result<Glibc, OwnTlsError>> = OnceLock::new();

/// Whether blocks can be made. Finds out at the first call in a process, and remembers.
///
/// # Errors
///
/// What is missing.
pub(crate) fn probe() -> Result<(), OwnTlsError> {
    let found = FOUND.get_or_init(|| Glibc::find().map_err(OwnTlsError::from));
    found.as_ref().map(|_| ()).map_err(OwnTlsError::clone)
}

/// What was found.
///
/// # Panics
///
/// If there was no successful [`probe`].
pub(super) fn glibc() -> &'static Glibc {
    let found = FOUND.get().and_then(|found| found.as_ref().ok());
    found.expect("who wants a block has probed for it")
}

/// The word at a place of a block.
///
/// # Safety
///
/// There is one, and nobody writes it meanwhile.
pub(super) unsafe fn word(base: *mut u8, place: isize) -> usize {
    // SAFETY: the caller's word.
    unsafe { base.offset(place).cast::<usize>().read() }
}

impl Glibc {
    fn find() -> Result<Self, Reason> {
        target::check_processor()?;
        // SAFETY: a number, in every glibc that has it.
        let size = unsafe { private(c"_thread_db_sizeof_pthread")?.cast::<u32>().read() } as usize;
        let control_block = target::control_block(size);
        let place = |name| Ok(control_block.wrapping_add_unsigned(field(name)?));
        // SAFETY: the symbols are what they are called in every glibc that has them.
        let mut glibc = unsafe {
            Self {
                allocate: mem::transmute::<*mut c_void, Allocate>(private(c"_dl_allocate_tls")?),
                call_destructors: mem::transmute::<*mut c_void, Call>(private(c"__call_tls_dtors")?),
                init_ctype: mem::transmute::<*mut c_void, Call>(private(c"__ctype_init")?),
                close_resolver: mem::transmute::<*mut c_void, CallWith>(public(c"__res_nclose")?),
                keys: private(c"__pthread_keys")?.cast_const().cast(),
                size,
                control_block,
                tid: place(c"_thread_db_pthread_tid")?,
                list: place(c"_thread_db_pthread_list")?,
                key_levels: place(c"_thread_db_pthread_specific")?,
                first_level: 0,
                robust: 0,
                rseq: rseq(),
                resolver: private(c"__resp")?
                    .addr()
                    .wrapping_sub(Base::in_force().address().addr())
                    .cast_signed(),
                destructors: 0,
                static_offset: field(c"_thread_db_link_map_l_tls_offset")?,
                own_modules: [
                    module_of(private(c"__ctype_init")?)?,
                    module_of(private(c"_dl_allocate_tls")?)?,
                ],
            }
        };
        glibc.check_key_descriptors()?;
        glibc.look_at_this_thread()?;
        trial::run(&mut glibc)?;
        announce_threads()?;
        Ok(glibc)
    }

    /// Whether keys are laid out as the types here say.
    fn check_key_descriptors(&self) -> Result<(), Reason> {
        let as_known = field(c"_thread_db_pthread_key_struct_seq")? == 0
            && field(c"_thread_db_pthread_key_struct_destr")? == mem::offset_of!(Key, destructor)
            && field(c"_thread_db_pthread_key_data_seq")? == 0
            && field(c"_thread_db_pthread_key_data_data")? == size_of::<usize>()
            && count(c"_thread_db_pthread_key_data_level2_data")? == KEYS_A_LEVEL
            && descriptor(c"_thread_db_pthread_specific")?[0] as usize == KEY_LEVELS * usize::BITS as usize
            && count(c"_thread_db___pthread_keys")? == KEYS_A_LEVEL * KEY_LEVELS;
        if as_known { Ok(()) } else { Err(Reason::Layout("keys of threads have another layout")) }
    }

    /// Compares what is known with the control block of this thread, and finds in it what no descriptor
    /// tells.
    fn look_at_this_thread(&mut self) -> Result<(), Reason> {
        let base = Base::in_force().address();
        let small = self.size <= 64 * 1024;
        let known = [self.tid, self.list, self.key_levels].iter().all(|place| self.has(*place, 16));
        if !small || !known || !self.has(self.key_levels, KEY_LEVELS * 8) {
            return Err(Reason::Layout("the descriptors of thread control blocks make no sense"));
        }
        if !self.is_threads_own(base) {
            return Err(Reason::Layout("a thread is not known by the place of its control block"));
        }
        target::check_header(Base::in_force(), self.control_block)?;
        // SAFETY: both are in the control block of this thread, as was just checked.
        unsafe {
            if base.offset(self.tid).cast::<i32>().read() != libc::gettid() {
                return Err(Reason::Layout("the number of a thread is not in its place"));
            }
            self.first_level = word(base, self.key_levels).wrapping_sub(base.addr()).cast_signed();
        }
        if !self.has(self.first_level, KEYS_A_LEVEL * size_of::<KeyData>()) {
            return Err(Reason::Layout("the keys of a thread are not in its control block"));
        }
        let robust = robust_list_of_the_kernel(base).or_else(|| self.empty_robust_list(base));
        self.robust = robust
            .filter(|head| self.has(head.wrapping_sub(8), 8 + ROBUST_LIST))
            .ok_or(Reason::Layout("a thread's list of robust mutexes is not in its control block"))?;
        Ok(())
    }

    /// Where the head of this thread's list of robust mutexes is, if it has none and its control block has
    /// one place only that looks so: a word that holds its own place, between another that holds it, how far
    /// it is from the link in a mutex to the lock, and none that is being locked. For emulators, which do not
    /// have the calls by which a kernel is told.
    fn empty_robust_list(&self, base: *mut u8) -> Option<isize> {
        let looks_so = |place: &isize| {
            let expected = [base.wrapping_offset(*place).addr(), LINK_TO_LOCK, 0];
            // SAFETY: the words are in the control block of this thread.
            let found = [0, 8, 16].map(|more| unsafe { word(base, place + more) });
            // SAFETY: as above.
            found == expected && unsafe { word(base, place - 8) } == expected[0]
        };
        let offsets = (8..self.size.saturating_sub(ROBUST_LIST)).step_by(8);
        let mut found =
            offsets.map(|offset| self.control_block.wrapping_add_unsigned(offset)).filter(looks_so);
        found.next().filter(|_| found.next().is_none())
    }

    /// Whether the control block has so many bytes at a place, but not its first.
    fn has(&self, place: isize, bytes: usize) -> bool {
        let offset = place.wrapping_sub(self.control_block).cast_unsigned();
        offset != 0 && offset.checked_add(bytes).is_some_and(|end| end <= self.size)
    }

    /// Whether the thread that this is to C is the one with its storage at `base`.
    pub(super) fn is_threads_own(&self, base: *mut u8) -> bool {
        // SAFETY: asks for a number, which is the place of a control block in glibc.
        let thread = unsafe { libc::pthread_self() } as usize;
        thread == base.wrapping_offset(self.control_block).addr()
    }
}

/// Where the head of this thread's list of robust mutexes is, as the kernel was told.
fn robust_list_of_the_kernel(base: *mut u8) -> Option<isize> {
    let (mut head, mut len) = (0_usize, 0_usize);
    // SAFETY: writes two words.
    unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut head, &raw mut len) };
    (len == ROBUST_LIST).then(|| head.wrapping_sub(base.addr()).cast_signed())
}

/// A symbol that is the C library's own.
fn private(name: &'static CStr) -> Result<*mut c_void, Reason> {
    // SAFETY: looks a name up.
    let found = unsafe { libc::dlvsym(libc::RTLD_DEFAULT, name.as_ptr(), c"GLIBC_PRIVATE".as_ptr()) };
    there(found, name)
}

/// A symbol for everybody.
fn public(name: &'static CStr) -> Result<*mut c_void, Reason> {
    // SAFETY: looks a name up.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    there(found, name)
}

fn there(found: *mut c_void, name: &'static CStr) -> Result<*mut c_void, Reason> {
    let missing = || Reason::Symbol(name.to_str().unwrap_or("a name that is not ASCII"));
    if found.is_null() { Err(missing()) } else { Ok(found) }
}

/// A descriptor of a field: its size in bits, how many of them there are, and its offset.
fn descriptor(name: &'static CStr) -> Result<[u32; 3], Reason> {
    // SAFETY: descriptors are three such numbers, by the interface to debuggers.
    Ok(unsafe { private(name)?.cast::<[u32; 3]>().read() })
}

pub(super) fn field(name: &'static CStr) -> Result<usize, Reason> {
    Ok(descriptor(name)?[2] as usize)
}

fn count(name: &'static CStr) -> Result<usize, Reason> {
    Ok(descriptor(name)?[1] as usize)
}

/// Where each thread's registration of restartable sequences is, in a library that knows of them. It looks
/// there also where the kernel has taken none.
fn rseq() -> Option<isize> {
    // SAFETY: a number, in a library that has it.
    let place = unsafe { public(c"__rseq_offset").ok()?.cast::<isize>().read() };
    (place != 0).then_some(place)
}

/// Where the module is loaded that has an address.
fn module_of(address: *mut c_void) -> Result<usize, Reason> {
    // SAFETY: zeroes are a value, and the call fills it in.
    unsafe {
        let mut info: libc::Dl_info = mem::zeroed();
        let found: c_int = libc::dladdr(address, &raw mut info);
        if found == 0 { Err(Reason::Layout("its code has no place")) } else { Ok(info.dli_fbase.addr()) }
    }
}

/// Has the library see that there are threads, by one that ends at once. Before it has seen one it does
/// without locks, and C++ takes initialisations that meet for one that calls itself. To clear its flag would
/// not do: by that it knows whether it has prepared itself for threads.
fn announce_threads() -> Result<(), Reason> {
    // SAFETY: a byte that programs only read.
    let alone = public(c"__libc_single_threaded").is_ok_and(|flag| unsafe { flag.cast::<u8>().read() } != 0);
    if alone {
        // Who joined it would let others run in the middle of this, where `join` has been taken over.
        let started = thread::Builder::new().stack_size(0).spawn(|| ());
        started.map_err(|error| Reason::Thread(error.kind()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_robust_list_that_looks_empty_is_the_one_that_the_kernel_was_told_of() {
        probe().expect("this is where blocks are made");
        let base = Base::in_force().address();
        let found = glibc().empty_robust_list(base);
        assert_eq!(found, Some(glibc().robust));
        assert!(robust_list_of_the_kernel(base).is_none_or(|told| found == Some(told)));
    }
}
