//! The system calls that std offers in their blocking form only.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// A peer that is gone is an error, not a signal.
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: libc::c_int = libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: libc::c_int = 0;

/// A stream socket in non-blocking mode, for addresses of the same family.
pub(super) fn stream_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
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
pub(super) fn connect(fd: RawFd, address: SocketAddr) -> io::Result<bool> {
    let (storage, len) = to_sockaddr(address);
    // SAFETY: the storage holds an address of that length.
    match check(unsafe { libc::connect(fd, ptr::from_ref(&storage).cast(), len) }) {
        Ok(_) => Ok(true),
        // Interrupted or not, it goes on in the background.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes a connection that waits, and sets it to non-blocking mode.
pub(super) fn accept(fd: RawFd) -> io::Result<(OwnedFd, SocketAddr)> {
    // SAFETY: all zeroes is a valid, empty storage.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    let address = ptr::from_mut(&mut storage).cast();
    #[cfg(not(target_vendor = "apple"))]
    // SAFETY: the storage is as long as `len` says; makes a descriptor of our own.
    let connection =
        owned(unsafe { libc::accept4(fd, address, &mut len, libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) })?;
    #[cfg(target_vendor = "apple")]
    // SAFETY: the storage is as long as `len` says; makes a descriptor of our own.
    let connection = owned(unsafe { libc::accept(fd, address, &mut len) })?;
    #[cfg(target_vendor = "apple")]
    prepare(&connection)?;
    Ok((connection, from_sockaddr(&storage)?))
}

/// What the flags of `socket` and `accept4` do elsewhere.
#[cfg(target_vendor = "apple")]
fn prepare(fd: &OwnedFd) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let (fd, on) = (fd.as_raw_fd(), 1 as libc::c_int);
    // SAFETY: an open descriptor; the option is an int.
    unsafe {
        check(libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC))?;
        check(libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK))?;
        let len = size_of::<libc::c_int>() as libc::socklen_t;
        check(libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_NOSIGPIPE, ptr::from_ref(&on).cast(), len))?;
    }
    Ok(())
}

/// Sets how many connections may wait to be accepted; the system limits it further.
pub(super) fn listen(fd: RawFd, backlog: i32) -> io::Result<()> {
    // SAFETY: takes no memory.
    check(unsafe { libc::listen(fd, backlog) }).map(drop)
}

#[inline]
pub(super) fn receive(fd: RawFd, buffer: &mut [u8], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: the buffer is as long as it says.
    check_len(unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags) })
}

#[inline]
pub(super) fn send(fd: RawFd, buffer: &[u8]) -> io::Result<usize> {
    // SAFETY: the buffer is as long as it says.
    check_len(unsafe { libc::send(fd, buffer.as_ptr().cast(), buffer.len(), SEND_FLAGS) })
}

fn to_sockaddr(address: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: all zeroes is a valid, empty storage.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let len = match address {
        SocketAddr::V4(address) => {
            // SAFETY: the storage is large enough and aligned for every kind of address.
            let v4 = unsafe { &mut *ptr::from_mut(&mut storage).cast::<libc::sockaddr_in>() };
            v4.sin_family = libc::AF_INET as libc::sa_family_t;
            v4.sin_port = address.port().to_be();
            v4.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(address) => {
            // SAFETY: as above.
            let v6 = unsafe { &mut *ptr::from_mut(&mut storage).cast::<libc::sockaddr_in6>() };
            v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            v6.sin6_port = address.port().to_be();
            v6.sin6_addr.s6_addr = address.ip().octets();
            v6.sin6_flowinfo = address.flowinfo();
            v6.sin6_scope_id = address.scope_id();
            size_of::<libc::sockaddr_in6>()
        }
    };
    (storage, len as libc::socklen_t)
}

fn from_sockaddr(storage: &libc::sockaddr_storage) -> io::Result<SocketAddr> {
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says what the storage holds.
            let v4 = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
            Ok(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family says what the storage holds.
            let v6 = unsafe { &*ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Ok(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), v6.sin6_flowinfo, v6.sin6_scope_id).into())
        }
        family => Err(io::Error::new(io::ErrorKind::InvalidData, format!("address family {family}"))),
    }
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
