//! A hundred requests by libcurl, a shared library written in C that makes its socket calls itself, each answered
//! after 50 ms: on one OS thread.

use std::error::Error;
use std::ffi::{CString, OsString, c_char, c_int, c_void};
use std::time::Duration;

use libloading::Library;
use monkey_programs::AtOnce;
use monkey_programs::servers::{Missing, Pages};

/// The functions of `curl/curl.h` that are called here.
#[derive(Clone, Copy)]
struct Curl {
    init: unsafe extern "C" fn() -> *mut c_void,
    set_option: unsafe extern "C" fn(*mut c_void, c_int, ...) -> c_int,
    perform: unsafe extern "C" fn(*mut c_void) -> c_int,
    cleanup: unsafe extern "C" fn(*mut c_void),
}

const WRITE_DATA: c_int = 10_001;
const URL: c_int = 10_002;
const WRITE_FUNCTION: c_int = 20_011;

impl Curl {
    fn load() -> Result<Self, Box<dyn Error>> {
        let name = std::env::var_os("LIBCURL").unwrap_or_else(|| OsString::from("libcurl.so.4"));
        // SAFETY: the functions have these types since libcurl has this number, and the library stays.
        unsafe {
            let library = Library::new(name).map_err(|_| Missing("libcurl"))?;
            let set_up = library.get::<unsafe extern "C" fn(usize) -> c_int>(b"curl_global_init")?;
            const ALL: usize = 3;
            assert_eq!(set_up(ALL), 0, "libcurl can be used");
            let curl = Self {
                init: *library.get(b"curl_easy_init")?,
                set_option: *library.get(b"curl_easy_setopt")?,
                perform: *library.get(b"curl_easy_perform")?,
                cleanup: *library.get(b"curl_easy_cleanup")?,
            };
            std::mem::forget(library);
            Ok(curl)
        }
    }

    /// Fetches a page.
    fn fetch(self, url: &str) -> Vec<u8> {
        let url = CString::new(url).expect("URLs have no zero in them");
        let mut page = Vec::new();
        // SAFETY: each option has an argument of its type, and all of them live until the end.
        let result = unsafe {
            let handle = (self.init)();
            (self.set_option)(handle, URL, url.as_ptr());
            (self.set_option)(handle, WRITE_FUNCTION, append as Append);
            (self.set_option)(handle, WRITE_DATA, &raw mut page);
            let result = (self.perform)(handle);
            (self.cleanup)(handle);
            result
        };
        assert_eq!(result, 0, "libcurl has no error to tell of");
        page
    }
}

type Append = unsafe extern "C" fn(*const c_char, usize, usize, *mut Vec<u8>) -> usize;

/// Takes what has come of a page.
unsafe extern "C" fn append(data: *const c_char, size: usize, count: usize, page: *mut Vec<u8>) -> usize {
    // SAFETY: so many bytes, for the vector that libcurl was told of.
    unsafe { (*page).extend_from_slice(std::slice::from_raw_parts(data.cast(), size * count)) };
    size * count
}

fn main() -> Result<(), Box<dyn Error>> {
    greenlet_monkey::patch_all()?;
    // Before there is a greenlet: this library's thread-locals are then in the storage of each.
    let curl = Curl::load()?;
    let url = Pages::http(Duration::from_millis(50))?.url();
    let fetch = move |_: &mut ()| assert_eq!(curl.fetch(&url), Pages::ANSWER.as_bytes());
    println!("libcurl: pages after 50 ms: {}", AtOnce::run(100, |_| (), fetch));
    Ok(())
}
