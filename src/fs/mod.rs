//! Floor 5: files and folders.
//!
//! No system can tell when a disk will be ready. So what asks one is done by a thread of the
//! [shared pool](crate::pool::ThreadPool::shared), and only the calling greenlet waits (gevent's
//! `FileObjectThread`, eventlet's `tpool`). On Linux, what the page cache has is read at once, with no
//! thread, but for the end of a file. Everything here is called as in [`std::fs`] and does the same.
//!
//! Otherwise than there, [`File::open_with`] is `OpenOptions::open`, and [`File::into_std`] returns a `Result`. There is
//! no `File::options`, no `lock` and its kin, no `set_times` or `set_modified`, and no `DirBuilder`.
//!
//! A call takes more than std's own for the way to the thread and back: a microsecond or two where one follows
//! soon after another, and tens where the thread has to be woken. It is
//! worth it where a disk, a network file system or a busy device might keep the whole thread waiting;
//! a program that reads its settings at the start can do that by std.
//!
//! **Kills and timeouts.** What was begun is carried out: a thread cannot be interrupted. A greenlet that
//! is killed while it waits does not learn how it ended.
//!
//! **Where nobody can wait**, in a destructor that runs while the greenlet unwinds or the thread ends, the call
//! is made on the spot, and the thread waits for the disk. So it is on a thread without a hub, where nobody
//! else would run.
//!
//! ```
//! use std::io::{Read, Write};
//! use greenlet::fs::{self, File};
//!
//! # fn main() -> std::io::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("greenlet-doc-fs-{}", std::process::id()));
//! fs::create_dir_all(&folder)?;
//! let path = folder.join("note.txt");
//! File::create(&path)?.write_all(b"remember")?;
//! let mut text = String::new();
//! File::open(&path)?.read_to_string(&mut text)?;
//! assert_eq!(text, "remember");
//! fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```

mod file;
mod read_dir;

use std::fs::{Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

pub use self::file::File;
pub use self::read_dir::ReadDir;

use crate::hub;
use crate::pool::ThreadPool;

/// Has a thread of the pool do what a disk may take its time for.
#[track_caller]
fn off_thread<R: Send + 'static>(call: impl FnOnce() -> io::Result<R> + Send + 'static) -> io::Result<R> {
    // Who cannot wait must not lose what it has to write.
    if hub::can_wait() { ThreadPool::shared().run(call)? } else { call() }
}

/// As [`off_thread`], for what is done with a path.
#[track_caller]
fn with_path<R: Send + 'static>(
    path: impl AsRef<Path>,
    call: impl FnOnce(&Path) -> io::Result<R> + Send + 'static,
) -> io::Result<R> {
    let path = path.as_ref().to_owned();
    off_thread(move || call(&path))
}

/// As [`off_thread`], for what is done with two paths.
#[track_caller]
fn with_paths<R: Send + 'static>(
    one: impl AsRef<Path>,
    other: impl AsRef<Path>,
    call: impl FnOnce(&Path, &Path) -> io::Result<R> + Send + 'static,
) -> io::Result<R> {
    let other = other.as_ref().to_owned();
    with_path(one, move |one| call(one, &other))
}

/// The path without links and dots, as [`std::fs::canonicalize`].
///
/// # Errors
///
/// As std's, or if there is no thread to be had; so for all functions here.
#[track_caller]
pub fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    with_path(path, |path| std::fs::canonicalize(path))
}

/// Copies a file with its permissions; how many bytes it has. As [`std::fs::copy`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    with_paths(from, to, |from, to| std::fs::copy(from, to))
}

/// Makes a folder, as [`std::fs::create_dir`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    with_path(path, |path| std::fs::create_dir(path))
}

/// Makes a folder and those that it is in, as [`std::fs::create_dir_all`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    with_path(path, |path| std::fs::create_dir_all(path))
}

/// Whether there is something of that name, as [`std::fs::exists`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn exists(path: impl AsRef<Path>) -> io::Result<bool> {
    with_path(path, |path| std::fs::exists(path))
}

/// Gives a file one more name, as [`std::fs::hard_link`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    with_paths(original, link, |original, link| std::fs::hard_link(original, link))
}

/// What is known of a file, as [`std::fs::metadata`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    with_path(path, |path| std::fs::metadata(path))
}

/// The content of a file, as [`std::fs::read`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    with_path(path, |path| std::fs::read(path))
}

/// What is in a folder, in no order, as [`std::fs::read_dir`].
///
/// # Errors
///
/// As std's.
///
/// ```
/// let names = greenlet::fs::read_dir("/")?.map(|entry| Ok(entry?.file_name()));
/// assert!(names.collect::<std::io::Result<Vec<_>>>()?.iter().any(|name| name == "usr"));
/// # Ok::<_, std::io::Error>(())
/// ```
#[track_caller]
pub fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    with_path(path, |path| std::fs::read_dir(path)).map(ReadDir::new)
}

/// Where a link leads, as [`std::fs::read_link`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    with_path(path, |path| std::fs::read_link(path))
}

/// The content of a file of text, as [`std::fs::read_to_string`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    with_path(path, |path| std::fs::read_to_string(path))
}

/// Removes an empty folder, as [`std::fs::remove_dir`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    with_path(path, |path| std::fs::remove_dir(path))
}

/// Removes a folder with all that is in it, as [`std::fs::remove_dir_all`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    with_path(path, |path| std::fs::remove_dir_all(path))
}

/// Removes a file, as [`std::fs::remove_file`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    with_path(path, |path| std::fs::remove_file(path))
}

/// Gives something another name, in place of what has that name, as [`std::fs::rename`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    with_paths(from, to, |from, to| std::fs::rename(from, to))
}

/// Sets who may do what with a file, as [`std::fs::set_permissions`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    with_path(path, move |path| std::fs::set_permissions(path, permissions))
}

/// As [`metadata`], of a link itself. As [`std::fs::symlink_metadata`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    with_path(path, |path| std::fs::symlink_metadata(path))
}

/// Makes `content` that of a file, as [`std::fs::write`].
///
/// # Errors
///
/// As std's.
#[track_caller]
pub fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> io::Result<()> {
    let content = content.as_ref().to_vec();
    with_path(path, move |path| std::fs::write(path, content))
}
