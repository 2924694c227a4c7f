//! The name of an address.

use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ptr;

use super::in_pool;
use crate::os::SystemAddr;

/// The name of an address (Python's `gethostbyaddr`).
///
/// # Errors
///
/// If it has none; or in a destructor while the greenlet unwinds, where nothing can be waited for.
///
/// ```no_run
/// use std::net::Ipv4Addr;
///
/// assert_eq!(greenlet::dns::reverse(Ipv4Addr::LOCALHOST.into()).unwrap(), "localhost");
/// ```
#[track_caller]
pub fn reverse(address: IpAddr) -> io::Result<String> {
    in_pool(move || name_of(address))
        .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))
}

/// Asks the system, which may take its time.
fn name_of(address: IpAddr) -> io::Result<String> {
    /// The longest name that there is, with its end.
    const LONGEST: usize = 1025;
    let address = SystemAddr::from(SocketAddr::new(address, 0));
    let (address, address_len) = address.as_raw();
    let mut name = [0; LONGEST];
    // SAFETY: an address of that length, and room for a name of that length; no service is asked for.
    let result = unsafe {
        libc::getnameinfo(
            address,
            address_len,
            name.as_mut_ptr().cast(),
            // Of one type or another, by system.
            name.len() as _,
            ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    match result {
        0 => {
            let name = CStr::from_bytes_until_nul(&name).map_err(io::Error::other)?;
            Ok(name.to_string_lossy().into_owned())
        }
        libc::EAI_SYSTEM => Err(io::Error::last_os_error()),
        error => {
            // SAFETY: the text is constant.
            let text = unsafe { CStr::from_ptr(libc::gai_strerror(error)) };
            Err(io::Error::other(text.to_string_lossy()))
        }
    }
}
