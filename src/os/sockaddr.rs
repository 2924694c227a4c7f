//! Socket addresses as std has them, and as the system wants them.

use std::ffi::OsStr;
use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::ptr;

/// An address as the system has it.
pub(crate) struct SystemAddr {
    storage: libc::sockaddr_storage,
    len: libc::socklen_t,
}

/// Where the name of a Unix address begins.
const NAME: usize = offset_of!(libc::sockaddr_un, sun_path);

impl SystemAddr {
    fn empty() -> Self {
        // SAFETY: all zeroes is a valid, empty storage.
        let storage: libc::sockaddr_storage = unsafe { MaybeUninit::zeroed().assume_init() };
        Self { storage, len: 0 }
    }

    pub(crate) fn family(&self) -> libc::c_int {
        libc::c_int::from(self.storage.ss_family)
    }

    /// For calls that take an address.
    pub(crate) fn as_raw(&self) -> (*const libc::sockaddr, libc::socklen_t) {
        (ptr::from_ref(&self.storage).cast(), self.len)
    }

    /// What a call has filled in, which is given the storage and its length.
    pub(crate) fn filled_by<R>(
        call: impl FnOnce(*mut libc::sockaddr, *mut libc::socklen_t) -> io::Result<R>,
    ) -> io::Result<(R, Self)> {
        let mut address = Self::empty();
        address.len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        let result = call(ptr::from_mut(&mut address.storage).cast(), &mut address.len)?;
        Ok((result, address))
    }

    /// A Unix address of a name, which ends with a zero if it is a path.
    fn of_name(name: &[u8]) -> io::Result<Self> {
        let mut address = Self::empty();
        address.storage.ss_family = libc::AF_UNIX as libc::sa_family_t;
        if NAME + name.len() > size_of::<libc::sockaddr_un>() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name of a Unix socket is too long"));
        }
        // SAFETY: the storage has room for any address of its family, and the name fits into that.
        unsafe {
            let start = ptr::from_mut(&mut address.storage).cast::<u8>().add(NAME);
            start.copy_from_nonoverlapping(name.as_ptr(), name.len());
        }
        address.len = (NAME + name.len()) as libc::socklen_t;
        Ok(address)
    }

    /// The name of a Unix address, as the system has it.
    fn name(&self) -> &[u8] {
        let len = (self.len as usize).clamp(NAME, size_of::<libc::sockaddr_un>()) - NAME;
        // SAFETY: the storage is as long, and was all zeroes before anything was written to it.
        unsafe { std::slice::from_raw_parts(ptr::from_ref(&self.storage).cast::<u8>().add(NAME), len) }
    }
}

impl From<SocketAddr> for SystemAddr {
    fn from(address: SocketAddr) -> Self {
        let mut system = Self::empty();
        let storage = ptr::from_mut(&mut system.storage);
        match address {
            SocketAddr::V4(address) => {
                // SAFETY: the storage is large enough and aligned for every kind of address.
                let v4 = unsafe { &mut *storage.cast::<libc::sockaddr_in>() };
                v4.sin_family = libc::AF_INET as libc::sa_family_t;
                v4.sin_port = address.port().to_be();
                v4.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
                system.len = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            SocketAddr::V6(address) => {
                // SAFETY: as above.
                let v6 = unsafe { &mut *storage.cast::<libc::sockaddr_in6>() };
                v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                v6.sin6_port = address.port().to_be();
                v6.sin6_addr.s6_addr = address.ip().octets();
                v6.sin6_flowinfo = address.flowinfo();
                v6.sin6_scope_id = address.scope_id();
                system.len = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            }
        }
        system
    }
}

impl TryFrom<SystemAddr> for SocketAddr {
    type Error = io::Error;

    fn try_from(system: SystemAddr) -> io::Result<Self> {
        let storage = ptr::from_ref(&system.storage);
        match system.family() {
            libc::AF_INET => {
                // SAFETY: the family says what the storage holds.
                let v4 = unsafe { &*storage.cast::<libc::sockaddr_in>() };
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Ok(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: the family says what the storage holds.
                let v6 = unsafe { &*storage.cast::<libc::sockaddr_in6>() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Ok(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            family => Err(io::Error::new(io::ErrorKind::InvalidData, format!("address family {family}"))),
        }
    }
}

impl TryFrom<&UnixAddr> for SystemAddr {
    type Error = io::Error;

    fn try_from(address: &UnixAddr) -> io::Result<Self> {
        match (address.as_pathname(), abstract_name(address)) {
            (Some(path), _) => Self::of_name(&[path.as_os_str().as_bytes(), b"\0"].concat()),
            (None, Some(name)) => Self::of_name(&[b"\0", name].concat()),
            (None, None) => Self::of_name(b""),
        }
    }
}

impl TryFrom<SystemAddr> for UnixAddr {
    type Error = io::Error;

    fn try_from(system: SystemAddr) -> io::Result<Self> {
        match system.name() {
            [0, name @ ..] if !name.is_empty() => from_abstract_name(name),
            name => {
                let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
                // The empty path stands for a socket without a name. A path that fills the system's address is too
                // long for std's, and no reason to lose what has come from there.
                Self::from_pathname(OsStr::from_bytes(&name[..end])).or_else(|_| Self::from_pathname(""))
            }
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(address: &UnixAddr) -> Option<&[u8]> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    address.as_abstract_name()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn from_abstract_name(name: &[u8]) -> io::Result<UnixAddr> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    UnixAddr::from_abstract_name(name)
}

/// Only Linux has names that are not paths.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_name(_: &UnixAddr) -> Option<&[u8]> {
    None
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn from_abstract_name(_: &[u8]) -> io::Result<UnixAddr> {
    UnixAddr::from_pathname("")
}
