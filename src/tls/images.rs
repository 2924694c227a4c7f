//! What thread-locals are before anybody has changed them.

use std::ffi::{c_int, c_void};
use std::ptr;

/// Gives all thread-locals in the storage in force their first values again, but those of the modules that
/// are loaded at these addresses.
///
/// # Safety
///
/// Nobody has a reference to one of them, and no destructor is to be run.
pub(super) unsafe fn renew(but: &[usize; 2]) {
    // SAFETY: the callback takes it for what it is.
    unsafe { libc::dl_iterate_phdr(Some(renew_module), ptr::from_ref(but).cast_mut().cast()) };
}

unsafe extern "C" fn renew_module(info: *mut libc::dl_phdr_info, _: usize, but: *mut c_void) -> c_int {
    // SAFETY: the loader describes its modules as they are, and `but` is what `renew` has given. Places of
    // thread-locals are those in the storage in force.
    unsafe {
        let (info, but) = (&*info, &*but.cast::<[usize; 2]>());
        let place = info.dlpi_tls_data.cast::<u8>();
        if place.is_null() || but.contains(&(info.dlpi_addr as usize)) {
            return 0;
        }
        for index in 0..usize::from(info.dlpi_phnum) {
            let segment = &*info.dlpi_phdr.add(index);
            if segment.p_type == libc::PT_TLS {
                let image = ptr::with_exposed_provenance::<u8>((info.dlpi_addr + segment.p_vaddr) as usize);
                let (given, all) = (segment.p_filesz as usize, segment.p_memsz as usize);
                ptr::copy_nonoverlapping(image, place, given);
                ptr::write_bytes(place.add(given), 0, all - given);
            }
        }
    }
    0
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
            let mut segments = (0..usize::from(info.dlpi_phnum)).map(|index| &*info.dlpi_phdr.add(index));
            let segment = segments.find(|segment| segment.p_type == libc::PT_TLS);
            let words = |segment: &libc::Elf64_Phdr| segment.p_memsz as usize / size_of::<usize>();
            search.found = segment.map(|segment| (info.dlpi_tls_data.cast_const().cast(), words(segment)));
        }
        1
    }
    let mut search = Search { at, found: None };
    // SAFETY: the callback takes it for what it is.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
    search.found
}
