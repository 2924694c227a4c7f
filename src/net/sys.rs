//! The system calls that std offers in their blocking form only.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;

use crate::os::SystemAddr;

/// A peer that is gone is an error, not a signal.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: libc::c_int = 0;

/// Where a call can be asked not to block, the mode of a socket is left as it is: whoever shares its
/// description shares the mode.
#[cfg(any(target_os = "linux", target_os = "android"))]
const DONT_WAIT: libc::c_int = libc::MSG_DONTWAIT;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const DONT_WAIT: libc::c_int = 0;

/// Whether sockets that send and receive have to be in non-blocking mode.
pub(super) const NEEDS_NONBLOCKING: bool = DONT_WAIT == 0;

/// A stream socket for addresses of a family, in non-blocking mode.
pub(super) fn stream_socket(family: libc::c_int) -> io::Result<OwnedFd> {
    #[cfg(not(target_vendor = "apple"))]
    {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: makes a descriptor of our own.
        owned(unsafe { libc::socket(family, kind, 0) })
    }
    #[cfg(target_vendor = "apple")]
    {
        // SAFETY: makes a descriptor of our own.
        let fd = owned(unsafe { libc::socket(family, libc::SOCK_STREAM, 0) })?;
        prepare(&fd)?;
        Ok(fd)
    }
}

/// Starts to connect. Whether that is done already.
pub(super) fn connect(fd: RawFd, address: &SystemAddr) -> io::Result<bool> {
    let (address, len) = address.as_raw();
    // SAFETY: an address of that length.
    match check(unsafe { libc::connect(fd, address, len) }) {
        Ok(_) => Ok(true),
        // Interrupted or not, it goes on in the background.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a connection that was begun is made.
///
/// # Errors
///
/// `WouldBlock` if that is still open; why there is none if there will be none.
pub(super) fn check_connected(fd: RawFd) -> io::Result<()> {
    let error = option(fd, libc::SO_ERROR)?;
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    let peer = SystemAddr::filled_by(|address, len| {
        // SAFETY: the address has room for `len`.
        check(unsafe { libc::getpeername(fd, address, len) })
    });
    match peer {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
        result => result.map(drop),
    }
}

/// Takes a connection that waits.
pub(super) fn accept(fd: RawFd) -> io::Result<(OwnedFd, SystemAddr)> {
    SystemAddr::filled_by(|address, len| {
        #[cfg(not(target_vendor = "apple"))]
        {
            let flags = libc::SOCK_CLOEXEC | if NEEDS_NONBLOCKING { libc::SOCK_NONBLOCK } else { 0 };
            // SAFETY: the address has room for `len`; makes a descriptor of our own.
            owned(unsafe { libc::accept4(fd, address, len, flags) })
        }
        #[cfg(target_vendor = "apple")]
        {
            // SAFETY: the address has room for `len`; makes a descriptor of our own.
            let connection = owned(unsafe { libc::accept(fd, address, len) })?;
            prepare(&connection)?;
            Ok(connection)
        }
    })
}

/// What the flags of `socket` and `accept4` do elsewhere.
#[cfg(target_vendor = "apple")]
fn prepare(fd: &OwnedFd) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let fd = fd.as_raw_fd();
    // SAFETY: an open descriptor; takes no memory.
    unsafe {
        check(libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC))?;
        check(libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK))?;
    }
    set_option(fd, libc::SO_NOSIGPIPE, 1)
}

/// Sets an option of the socket layer that is a number.
pub(super) fn set_option(fd: RawFd, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value is as long as it says.
    check(unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, ptr::from_ref(&value).cast(), len) })
        .map(drop)
}

/// An option of the socket layer that is a number.
pub(super) fn option(fd: RawFd, option: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    let place = ptr::from_mut(&mut value).cast();
    // SAFETY: the value has room for `len`.
    check(unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, option, place, &mut len) })?;
    Ok(value)
}

/// Gives a socket its address on this side.
pub(super) fn bind(fd: RawFd, address: &SystemAddr) -> io::Result<()> {
    let (address, len) = address.as_raw();
    // SAFETY: an address of that length.
    check(unsafe { libc::bind(fd, address, len) }).map(drop)
}

/// The address of a socket on this side.
pub(super) fn local_address(fd: RawFd) -> io::Result<SystemAddr> {
    let name = SystemAddr::filled_by(|address, len| {
        // SAFETY: the address has room for `len`.
        check(unsafe { libc::getsockname(fd, address, len) })
    });
    name.map(|(_, address)| address)
}

/// Sets how many connections may wait to be accepted; the system limits it further.
pub(super) fn listen(fd: RawFd, backlog: u32) -> io::Result<()> {
    let backlog = backlog.try_into().unwrap_or(libc::c_int::MAX);
    // SAFETY: takes no memory.
    check(unsafe { libc::listen(fd, backlog) }).map(drop)
}

#[inline]
pub(super) fn receive(fd: RawFd, buffer: &mut [u8], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: the buffer is as long as it says.
    check_len(unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags | DONT_WAIT) })
}

pub(super) fn receive_from(
    fd: RawFd,
    buffer: &mut [u8],
    flags: libc::c_int,
) -> io::Result<(usize, SystemAddr)> {
    let flags = flags | DONT_WAIT;
    SystemAddr::filled_by(|address, len| {
        // SAFETY: the buffer is as long as it says, and the address has room for `len`.
        check_len(unsafe {
            libc::recvfrom(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags, address, len)
        })
    })
}

pub(super) fn receive_vectored(fd: RawFd, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    let mut message = message(buffers.as_mut_ptr().cast(), buffers.len());
    // SAFETY: the message names valid buffers and nothing else.
    check_len(unsafe { libc::recvmsg(fd, &mut message, DONT_WAIT) })
}

#[inline]
pub(super) fn send(fd: RawFd, buffer: &[u8]) -> io::Result<usize> {
    // SAFETY: the buffer is as long as it says.
    check_len(unsafe { libc::send(fd, buffer.as_ptr().cast(), buffer.len(), NO_SIGNAL | DONT_WAIT) })
}

pub(super) fn send_to(fd: RawFd, buffer: &[u8], address: &SystemAddr) -> io::Result<usize> {
    let (address, len) = address.as_raw();
    let flags = NO_SIGNAL | DONT_WAIT;
    // SAFETY: the buffer is as long as it says, and an address of that length.
    check_len(unsafe { libc::sendto(fd, buffer.as_ptr().cast(), buffer.len(), flags, address, len) })
}

pub(super) fn send_vectored(fd: RawFd, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
    let message = message(buffers.as_ptr().cast_mut().cast(), buffers.len());
    // SAFETY: the message names valid buffers and nothing else; they are only read.
    check_len(unsafe { libc::sendmsg(fd, &message, NO_SIGNAL | DONT_WAIT) })
}

/// A message of buffers alone. std's slices for vectored operations are the system's.
fn message(buffers: *mut libc::iovec, count: usize) -> libc::msghdr {
    /// The greatest number that every system takes.
    const MOST: usize = 1024;
    // SAFETY: all zeroes is a valid, empty message.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = buffers;
    message.msg_iovlen = count.min(MOST) as _;
    message
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: a descriptor that a call has just made.
    check(fd).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[inline]
fn check_len(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
