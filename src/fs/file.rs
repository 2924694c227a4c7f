//! Files that are open.

use std::fs::{Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::{off_thread, with_path};

/// One call reads or writes so much at most: it goes through memory that the thread can have to itself, or keeps
/// the others waiting for as long as it copies.
const MOST: usize = 1 << 20;

/// An open file, with the methods of [`std::fs::File`], on which only the calling greenlet waits.
///
/// A write is one way to a thread and back, whatever its size: many small ones want a
/// [`BufWriter`](std::io::BufWriter). Two greenlets may use one file by `&File`; as with std's, they share its
/// position, and the order of their calls is theirs to agree on.
///
/// ```
/// use std::io::{BufRead, BufReader};
/// use greenlet::fs::File;
///
/// # fn main() -> std::io::Result<()> {
/// let lines = BufReader::new(File::open("/etc/passwd")?).lines();
/// assert!(lines.map_while(Result::ok).any(|line| line.starts_with("root:")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct File {
    /// A thread that is still at work keeps it open.
    file: Arc<std::fs::File>,
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::open`].
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_with(path, OpenOptions::new().read(true))
    }

    /// Opens a file for writing, makes it where there is none, and empties it where there is one.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::create`].
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_with(path, OpenOptions::new().write(true).create(true).truncate(true))
    }

    /// Makes a file for reading and writing that is not there yet.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::create_new`].
    #[track_caller]
    pub fn create_new(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_with(path, OpenOptions::new().read(true).write(true).create_new(true))
    }

    /// Opens a file by options of std's.
    ///
    /// # Errors
    ///
    /// As [`OpenOptions::open`].
    #[track_caller]
    pub fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> io::Result<Self> {
        let options = options.clone();
        with_path(path, move |path| options.open(path)).map(Self::from)
    }

    /// The file as std's, which blocks the thread.
    ///
    /// # Errors
    ///
    /// If a thread is still at work on it for somebody who was killed, and another descriptor for it
    /// cannot be had.
    pub fn into_std(self) -> io::Result<std::fs::File> {
        Arc::try_unwrap(self.file).or_else(|shared| shared.try_clone())
    }

    /// Another descriptor for the same file at the same position. While a thread is at work by one of them, who
    /// reads, writes or seeks by the other may keep its whole thread waiting for the position.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::try_clone`].
    pub fn try_clone(&self) -> io::Result<Self> {
        self.file.try_clone().map(Self::from)
    }

    /// What is known of the file.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::metadata`].
    #[track_caller]
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.ask(|file| file.metadata())
    }

    /// Waits until all that was written is on the disk, what is known of the file included.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::sync_all`].
    #[track_caller]
    pub fn sync_all(&self) -> io::Result<()> {
        self.ask(|file| file.sync_all())
    }

    /// Waits until all that was written is on the disk.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::sync_data`].
    #[track_caller]
    pub fn sync_data(&self) -> io::Result<()> {
        self.ask(|file| file.sync_data())
    }

    /// Cuts the file, or makes it longer by zeros.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::set_len`].
    #[track_caller]
    pub fn set_len(&self, len: u64) -> io::Result<()> {
        self.ask(move |file| file.set_len(len))
    }

    /// Sets who may do what with the file.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::set_permissions`].
    #[track_caller]
    pub fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.ask(move |file| file.set_permissions(permissions))
    }

    /// Reads from a place of the file, wherever its position is, and leaves that as it is.
    ///
    /// # Errors
    ///
    /// As [`FileExt::read_at`].
    #[track_caller]
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        crate::hub::spend_budget();
        match read_cached(&self.file, buffer, Some(offset)) {
            Some(count) => Ok(count),
            None => self.read_by(buffer, move |file, buffer| file.read_at(buffer, offset)),
        }
    }

    /// Writes to a place of the file, wherever its position is, and leaves that as it is.
    ///
    /// # Errors
    ///
    /// As [`FileExt::write_at`].
    #[track_caller]
    pub fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        self.write_by(buffer, move |file, buffer| file.write_at(buffer, offset))
    }

    /// Whether a thread is at work on it, for another greenlet or for one that was killed. Until that is done the
    /// system may keep the file's position locked, and whoever needs that waits for the disk after all.
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.file) > 1
    }

    #[track_caller]
    fn ask<R: Send + 'static>(
        &self,
        call: impl FnOnce(&std::fs::File) -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        let file = self.file.clone();
        off_thread(move || call(&file))
    }

    #[track_caller]
    fn read_by(
        &self,
        buffer: &mut [u8],
        read: impl FnOnce(&std::fs::File, &mut [u8]) -> io::Result<usize> + Send + 'static,
    ) -> io::Result<usize> {
        let wanted = buffer.len().min(MOST);
        let content = self.ask(move |file| {
            let mut content = vec![0; wanted];
            let count = read(file, &mut content)?;
            content.truncate(count);
            Ok(content)
        })?;
        buffer[..content.len()].copy_from_slice(&content);
        Ok(content.len())
    }

    #[track_caller]
    fn write_by(
        &self,
        buffer: &[u8],
        write: impl FnOnce(&std::fs::File, &[u8]) -> io::Result<usize> + Send + 'static,
    ) -> io::Result<usize> {
        let content = buffer[..buffer.len().min(MOST)].to_vec();
        self.ask(move |file| write(file, &content))
    }
}

/// Reads what is in the page cache, from a place of the file or from its position; `None` where that takes the
/// disk, or cannot be told. The end of the file cannot: Linux 5.9 and 5.10 may say that it is there where it is not.
#[cfg(target_os = "linux")]
fn read_cached(file: &std::fs::File, buffer: &mut [u8], place: Option<u64>) -> Option<usize> {
    const POSITION: libc::off_t = -1;
    let place = place.map_or(Ok(POSITION), libc::off_t::try_from).ok()?;
    let piece = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len().min(MOST) };
    // SAFETY: one piece, which is in the buffer.
    let count = unsafe { libc::preadv2(file.as_raw_fd(), &piece, 1, place, libc::RWF_NOWAIT) };
    usize::try_from(count).ok().filter(|&count| count > 0 || buffer.is_empty())
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_file: &std::fs::File, _buffer: &mut [u8], _place: Option<u64>) -> Option<usize> {
    None
}

impl Read for &File {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        crate::hub::spend_budget();
        let cached = if self.is_in_use() { None } else { read_cached(&self.file, buffer, None) };
        match cached {
            Some(count) => Ok(count),
            None => self.read_by(buffer, |mut file, buffer| file.read(buffer)),
        }
    }
}

impl Write for &File {
    #[track_caller]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.write_by(buffer, |mut file, buffer| file.write(buffer))
    }

    /// Nothing is held back here.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &File {
    #[track_caller]
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        if self.is_in_use() {
            return self.ask(move |mut file| file.seek(position));
        }
        // No disk is asked.
        (&*self.file).seek(position)
    }
}

impl Read for File {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for File {
    #[track_caller]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&*self).write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    #[track_caller]
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        (&*self).seek(position)
    }
}

impl From<std::fs::File> for File {
    fn from(file: std::fs::File) -> Self {
        Self { file: Arc::new(file) }
    }
}

impl From<OwnedFd> for File {
    fn from(fd: OwnedFd) -> Self {
        std::fs::File::from(fd).into()
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}
