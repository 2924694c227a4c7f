//! What thread-locals are before anybody has changed them.

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::{mem, ptr};

use super::glibc::Glibc;
use super::{Base, target};

/// What [`renew_module`] is given.
struct Renewal<'a> {
    glibc: &'a Glibc,
    spared: Range<usize>,
}

/// Gives all thread-locals in the storage in force their first values again, but those of the library itself
/// and its loader, and the one at the addresses that are to be spared.
///
/// # Safety
///
/// Nobody has a reference to one of them, and no destructor is to be run.
pub(super) unsafe fn renew(glibc: &Glibc, spared: Range<usize>) {
    let renewal = Renewal { glibc, spared };
    // SAFETY: the callback takes it for what it is.
    unsafe { libc::dl_iterate_phdr(Some(renew_module), (&raw const renewal).cast_mut().cast()) };
}

unsafe extern "C" fn renew_module(info: *mut libc::dl_phdr_info, _: usize, renewal: *mut c_void) -> c_int {
    // SAFETY: the loader describes its modules as they are, and `renewal` is what `renew` has given. Places of
    // thread-locals are those in the storage in force.
    unsafe {
        let (info, Renewal { glibc, spared }) = (&*info, &*renewal.cast::<Renewal<'_>>());
        let Some(segment) = segment(info).filter(|_| !glibc.own_modules.contains(&(info.dlpi_addr as usize)))
        else {
            return 0;
        };
        let image = image(info, segment);
        let known = info.dlpi_tls_data.cast::<u8>();
        let place = if known.is_null() { static_place(glibc, image) } else { known };
        let (given, all) = (segment.p_filesz as usize, segment.p_memsz as usize);
        if !place.is_null() {
            let renew = |part: Range<usize>| {
                let zeroes = given.clamp(part.start, part.end);
                ptr::copy_nonoverlapping(image.add(part.start), place.add(part.start), zeroes - part.start);
                ptr::write_bytes(place.add(zeroes), 0, part.end - zeroes);
            };
            let within = |address: usize| address.saturating_sub(place.addr()).min(all);
            renew(0..within(spared.start));
            renew(within(spared.end)..all);
        }
    }
    0
}

/// Whether the loader's records of its modules are where they are looked for.
pub(super) fn are_found(glibc: &Glibc) -> bool {
    unsafe extern "C" fn differs(info: *mut libc::dl_phdr_info, _: usize, glibc: *mut c_void) -> c_int {
        // SAFETY: as in `renew_module`.
        unsafe {
            let info = &*info;
            let known = info.dlpi_tls_data.cast::<u8>();
            let Some(segment) = segment(info).filter(|_| !known.is_null()) else { return 0 };
            let place = static_place(&*glibc.cast(), image(info, segment));
            c_int::from(!place.is_null() && place != known)
        }
    }
    // SAFETY: the callback takes it for what it is.
    unsafe { libc::dl_iterate_phdr(Some(differs), ptr::from_ref(glibc).cast_mut().cast()) == 0 }
}

/// What a module says of its thread-locals, if it has some.
///
/// # Safety
///
/// The loader has described it.
unsafe fn segment(info: &libc::dl_phdr_info) -> Option<&libc::Elf64_Phdr> {
    // SAFETY: the caller's word.
    let mut segments = (0..usize::from(info.dlpi_phnum)).map(|index| unsafe { &*info.dlpi_phdr.add(index) });
    segments.find(|segment| segment.p_type == libc::PT_TLS)
}

/// Their first values.
fn image(info: &libc::dl_phdr_info, segment: &libc::Elf64_Phdr) -> *const u8 {
    ptr::with_exposed_provenance((info.dlpi_addr + segment.p_vaddr) as usize)
}

/// Where the module with this image has its thread-locals in the storage in force, if the loader has found
/// room for them in the part that all blocks have; or null. It does so for libraries that are loaded later,
/// too, and tells blocks that are there by then nothing of it.
///
/// # Safety
///
/// It is the image of a module that is loaded.
unsafe fn static_place(glibc: &Glibc, image: *const u8) -> *mut u8 {
    unsafe extern "C" {
        fn dladdr1(
            address: *const c_void,
            info: *mut libc::Dl_info,
            more: *mut *const u8,
            what: c_int,
        ) -> c_int;
    }
    /// The loader's own record of the module.
    const RTLD_DL_LINKMAP: c_int = 2;
    /// There are none, or there was no room.
    const ELSEWHERE: [isize; 2] = [0, -1];
    // SAFETY: zeroes are a value, and the call fills both in. The place in the record is a descriptor's.
    unsafe {
        let (mut info, mut record) = (mem::zeroed(), ptr::null());
        if dladdr1(image.cast(), &raw mut info, &raw mut record, RTLD_DL_LINKMAP) == 0 || record.is_null() {
            return ptr::null_mut();
        }
        let offset = record.add(glibc.static_offset).cast::<isize>().read();
        if ELSEWHERE.contains(&offset) {
            return ptr::null_mut();
        }
        target::static_place(Base::in_force(), offset)
    }
}

/// The thread-locals in force of the module that is loaded at an address.
pub(super) fn of_module(at: usize) -> Option<(*const usize, usize)> {
    struct Search {
        at: usize,
        found: Option<(*const usize, usize)>,
    }
    unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _: usize, search: *mut c_void) -> c_int {
        // SAFETY: the loader describes its modules as they are, and `search` is the variable below.
        unsafe {
            let (info, search) = (&*info, &mut *search.cast::<Search>());
            if info.dlpi_addr as usize != search.at || info.dlpi_tls_data.is_null() {
                return 0;
            }
            let words = |segment: &libc::Elf64_Phdr| segment.p_memsz as usize / size_of::<usize>();
            search.found =
                segment(info).map(|segment| (info.dlpi_tls_data.cast_const().cast(), words(segment)));
        }
        1
    }
    let mut search = Search { at, found: None };
    // SAFETY: the callback takes it for what it is.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
    search.found
}
