//! What all types that own a descriptor have in common.
//!
//! Traits have to be implemented for each of them, and no function can do that: hence macros. All
//! that the macros write is forwarding.

use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::hub::{Source, SourceRef};

/// Takes over a descriptor, in non-blocking mode if its operations need that.
pub(crate) fn adopt(fd: OwnedFd, nonblocking: bool) -> io::Result<SourceRef> {
    if nonblocking {
        set_nonblocking(fd.as_raw_fd(), true)?;
    }
    let source = Source::new(fd);
    // Whoever had it may have a duplicate.
    source.show();
    Ok(source)
}

/// Gives a descriptor back, in blocking mode, whichever it came in.
pub(crate) fn release(source: SourceRef) -> io::Result<OwnedFd> {
    let fd = source.into_fd()?;
    set_nonblocking(fd.as_raw_fd(), false)?;
    Ok(fd)
}

/// Sets the mode of a socket's or a pipe's description.
pub(crate) fn set_nonblocking(fd: RawFd, nonblocking: bool) -> io::Result<()> {
    let mut on = libc::c_int::from(nonblocking);
    // SAFETY: the call reads one number.
    match unsafe { libc::ioctl(fd, libc::FIONBIO, &mut on) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A source's descriptor as a type of std's, for the calls that never block.
pub(crate) struct View<'a, T> {
    /// Never dropped: that would close the descriptor.
    view: ManuallyDrop<T>,
    source: PhantomData<&'a Source>,
}

impl<'a, T: From<OwnedFd>> View<'a, T> {
    pub(crate) fn of(source: &'a Source) -> Self {
        // SAFETY: the descriptor is open while the source is borrowed, and the view does not close it.
        let view = T::from(unsafe { OwnedFd::from_raw_fd(source.raw_fd()) });
        Self { view: ManuallyDrop::new(view), source: PhantomData }
    }
}

impl<T> Deref for View<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.view
    }
}

/// The descriptor of a type with a field `source`, and its way from and to std: `$std` is std's type,
/// `$what` its name in the middle of a sentence, `$nonblocking` whether it needs non-blocking mode.
macro_rules! descriptor {
    ($type:ident, $std:ty, $what:literal, $nonblocking:expr) => {
        impl $type {
            #[doc = concat!("Takes over a ", $what, " of std's.")]
            ///
            /// # Errors
            ///
            /// If it cannot be set to non-blocking mode, where that is needed.
            pub fn from_std(std: $std) -> ::std::io::Result<Self> {
                ::std::os::fd::OwnedFd::from(std).try_into()
            }

            #[doc = concat!("Gives the ", $what, " to std, in blocking mode.")]
            ///
            /// # Errors
            ///
            /// If other handles to it exist, it was [closed](Self::close), or the mode cannot be set.
            pub fn into_std(self) -> ::std::io::Result<$std> {
                ::std::os::fd::OwnedFd::try_from(self).map(<$std>::from)
            }

            #[doc = concat!("Takes the ", $what, " out of this thread's hub, for that of another thread.")]
            /// The timeouts that were set stay behind.
            ///
            /// # Errors
            ///
            /// As for `into_std`: this handle is dropped, and the others go on.
            pub fn detach(self) -> ::std::io::Result<$crate::os::Detached<Self>> {
                ::std::os::fd::OwnedFd::try_from(self).map($crate::os::Detached::new)
            }

            #[doc = concat!("Another handle to the same ", $what, ".")]
            /// The descriptor is shared, not duplicated, and so is whatever is set on it.
            ///
            /// # Errors
            ///
            /// None; the result is for likeness with std.
            pub fn try_clone(&self) -> ::std::io::Result<Self> {
                Ok(self.clone())
            }

            #[doc = concat!("Closes the ", $what, " although other handles to it exist.")]
            /// Greenlets that wait for it get an error (`EBADF`), and so does every operation from
            /// now on. The number of the descriptor is given back when the last handle is dropped.
            ///
            /// # Errors
            ///
            /// If the process is out of descriptors, and has never closed one in this way; then nothing
            /// has happened.
            pub fn close(&self) -> ::std::io::Result<()> {
                self.source.close()
            }

            /// A view for the calls that never block.
            fn std(&self) -> $crate::os::View<'_, $std> {
                $crate::os::View::of(&self.source)
            }
        }

        impl TryFrom<::std::os::fd::OwnedFd> for $type {
            type Error = ::std::io::Error;

            /// Takes over a descriptor of the right kind. Which kind it is shows in its use.
            fn try_from(fd: ::std::os::fd::OwnedFd) -> ::std::io::Result<Self> {
                $crate::os::adopt(fd, $nonblocking).map(|source| Self { source })
            }
        }

        impl TryFrom<$type> for ::std::os::fd::OwnedFd {
            type Error = ::std::io::Error;

            /// As `into_std`.
            fn try_from(this: $type) -> ::std::io::Result<Self> {
                $crate::os::release(this.source)
            }
        }

        impl TryFrom<$std> for $type {
            type Error = ::std::io::Error;

            /// As `from_std`.
            fn try_from(std: $std) -> ::std::io::Result<Self> {
                Self::from_std(std)
            }
        }

        impl TryFrom<$type> for $std {
            type Error = ::std::io::Error;

            /// As `into_std`.
            fn try_from(this: $type) -> ::std::io::Result<Self> {
                this.into_std()
            }
        }

        impl ::std::os::fd::AsFd for $type {
            fn as_fd(&self) -> ::std::os::fd::BorrowedFd<'_> {
                self.source.as_fd()
            }
        }

        impl ::std::os::fd::AsRawFd for $type {
            fn as_raw_fd(&self) -> ::std::os::fd::RawFd {
                ::std::os::fd::AsRawFd::as_raw_fd(&::std::os::fd::AsFd::as_fd(self))
            }
        }

        impl ::std::fmt::Debug for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Debug::fmt(&*self.std(), f)
            }
        }
    };
}

/// `Read` for a type and references to it, by its methods `receive` and `receive_vectored`.
macro_rules! reads {
    ($type:ident) => {
        impl ::std::io::Read for &$type {
            #[track_caller]
            #[inline]
            fn read(&mut self, buffer: &mut [u8]) -> ::std::io::Result<usize> {
                self.receive(buffer)
            }

            #[track_caller]
            #[inline]
            fn read_vectored(
                &mut self,
                buffers: &mut [::std::io::IoSliceMut<'_>],
            ) -> ::std::io::Result<usize> {
                self.receive_vectored(buffers)
            }
        }

        impl ::std::io::Read for $type {
            #[track_caller]
            #[inline]
            fn read(&mut self, buffer: &mut [u8]) -> ::std::io::Result<usize> {
                self.receive(buffer)
            }

            #[track_caller]
            #[inline]
            fn read_vectored(
                &mut self,
                buffers: &mut [::std::io::IoSliceMut<'_>],
            ) -> ::std::io::Result<usize> {
                self.receive_vectored(buffers)
            }
        }
    };
}

/// `Write` for a type and references to it, by its methods `transmit` and `transmit_vectored`.
macro_rules! writes {
    ($type:ident) => {
        impl ::std::io::Write for &$type {
            #[track_caller]
            #[inline]
            fn write(&mut self, buffer: &[u8]) -> ::std::io::Result<usize> {
                self.transmit(buffer)
            }

            #[track_caller]
            #[inline]
            fn write_vectored(&mut self, buffers: &[::std::io::IoSlice<'_>]) -> ::std::io::Result<usize> {
                self.transmit_vectored(buffers)
            }

            fn flush(&mut self) -> ::std::io::Result<()> {
                Ok(())
            }
        }

        impl ::std::io::Write for $type {
            #[track_caller]
            #[inline]
            fn write(&mut self, buffer: &[u8]) -> ::std::io::Result<usize> {
                self.transmit(buffer)
            }

            #[track_caller]
            #[inline]
            fn write_vectored(&mut self, buffers: &[::std::io::IoSlice<'_>]) -> ::std::io::Result<usize> {
                self.transmit_vectored(buffers)
            }

            fn flush(&mut self) -> ::std::io::Result<()> {
                Ok(())
            }
        }
    };
}

pub(crate) use {descriptor, reads, writes};
