//! Pipes, FIFOs, event counters, files, and locks on files.

use std::ffi::c_int;
use std::fs::{self, File};
use std::io::{Error, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use greenlet::spawn;

use crate::inside::Inside;
use crate::{join, patched};

/// A path of this process's own, in a folder for such things.
fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("greenlet-monkey-{}-{name}", std::process::id()))
}

#[test]
fn a_pipe_is_waited_for_at_both_ends() {
    patched(|| {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let data: Vec<u8> = (0..1 << 20).map(|n| (n / 99) as u8).collect();
        let expected = data.clone();
        let reading = spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        assert_eq!(writer.write(&data).unwrap(), data.len(), "all in one call, though it has room for less");
        drop(writer);
        assert!(reading.join().unwrap() == expected);
    });
}

/// Both ends of a new one.
fn fifo(name: &str) -> (File, File) {
    let path = path(name);
    let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    // Opened for both, so that opening need not wait.
    let open = || File::options().read(true).write(true).open(&path).unwrap();
    let ends = (open(), open());
    fs::remove_file(&path).unwrap();
    ends
}

/// As the message of a panic is, on a terminal: the kernel cannot be asked not to wait for either.
#[test]
fn what_is_written_to_a_fifo_while_a_greenlet_unwinds_arrives() {
    struct Writer(File);
    impl Drop for Writer {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            self.0.write_all(b"the end").unwrap();
        }
    }
    patched(|| {
        let (mut reader, writer) = fifo("fifo of the end");
        let task = spawn(move || {
            let _writer = Writer(writer);
            greenlet::sleep(std::time::Duration::from_secs(3600));
        });
        greenlet::yield_now();
        task.kill().unwrap();
        task.wait(None);
        let mut text = [0; 7];
        reader.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"the end");
    });
}

#[test]
fn a_fifo_is_waited_for_at_both_ends() {
    patched(|| {
        let (mut reader, mut writer) = fifo("fifo");
        const LEN: usize = 300_000;
        let reading = spawn(move || {
            let mut all = vec![0; LEN];
            reader.read_exact(&mut all).unwrap();
            all
        });
        let data: Vec<u8> = (0..LEN).map(|n| (n / 99) as u8).collect();
        let buffers = [std::io::IoSlice::new(&data[..1000]), std::io::IoSlice::new(&data[1000..])];
        assert_eq!(writer.write_vectored(&buffers).unwrap(), LEN);
        assert!(reading.join().unwrap() == data);
    });
}

#[test]
fn a_counter_of_events_is_waited_for() {
    patched(|| {
        let mut fd = File::from(unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) });
        let mut other = fd.try_clone().unwrap();
        let waiting = spawn(move || {
            let mut count = [0; 8];
            fd.read_exact(&mut count).unwrap();
            u64::from_ne_bytes(count)
        });
        std::thread::yield_now();
        other.write_all(&7_u64.to_ne_bytes()).unwrap();
        assert_eq!(waiting.join().unwrap(), 7);
    });
}

#[test]
fn files_are_read_and_written_as_ever() {
    patched(|| {
        let path = path("file");
        let data: Vec<u8> = (0..3 << 20).map(|n| (n / 99) as u8).collect();
        fs::write(&path, &data).unwrap();
        let mut file = File::open(&path).unwrap();
        unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
        let mut all = vec![0; data.len() + 10];
        assert_eq!(file.read(&mut all).unwrap(), data.len(), "in one call, whether in memory or not");
        assert!(all[..data.len()] == data);
        file.seek(SeekFrom::Start(5)).unwrap();
        let mut few = [0; 4];
        file.read_exact(&mut few).unwrap();
        assert_eq!(few, data[5..9]);
        assert_eq!(file.stream_position().unwrap(), 9);
        fs::remove_file(&path).unwrap();
    });
}

#[test]
fn a_file_in_non_blocking_mode_is_read_from_its_disk_all_the_same() {
    use std::os::unix::fs::OpenOptionsExt;

    patched(|| {
        let path = path("file of a disk");
        fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
        let mut file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        file.sync_all().unwrap();
        unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
        assert_eq!(file.read(&mut [0; 1 << 16]).unwrap(), 1 << 16);
    });
}

#[test]
fn a_terminal_is_waited_for() {
    patched(|| {
        let (mut ours, mut theirs) = (0, 0);
        use std::ptr::{null, null_mut};
        assert_eq!(unsafe { libc::openpty(&mut ours, &mut theirs, null_mut(), null(), null()) }, 0);
        let [mut ours, mut theirs] = [ours, theirs].map(|fd| unsafe { File::from_raw_fd(fd) });
        let reading = spawn(move || {
            let mut line = [0; 64];
            let len = theirs.read(&mut line).unwrap();
            line[..len].to_vec()
        });
        std::thread::yield_now();
        ours.write_all(b"hello\n").unwrap();
        assert_eq!(reading.join().unwrap(), b"hello\n");
    });
}

#[test]
fn a_file_is_locked_by_one_at_a_time() {
    type Lock = fn(&File, bool);
    const WHOLE: Lock = |file, lock| {
        let operation = if lock { libc::LOCK_EX } else { libc::LOCK_UN };
        assert_eq!(unsafe { libc::flock(file.as_raw_fd(), operation) }, 0);
    };
    // Of open descriptions: those of a process are all the same owner's.
    const PART: Lock = |file, lock| {
        let mut range: libc::flock = unsafe { std::mem::zeroed() };
        range.l_type = if lock { libc::F_WRLCK } else { libc::F_UNLCK } as i16;
        (range.l_whence, range.l_len) = (libc::SEEK_SET as i16, 1);
        assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLKW, &range) }, 0);
    };
    patched(|| {
        let path = path("lock");
        fs::write(&path, "x").unwrap();
        for lock in [WHOLE, PART] {
            let inside = Inside::default();
            join((0..3).map(|_| {
                let file = File::options().read(true).write(true).open(&path).unwrap();
                let inside = inside.clone();
                spawn(move || {
                    lock(&file, true);
                    inside.enter();
                    std::thread::sleep(Duration::from_millis(3));
                    inside.leave();
                    lock(&file, false);
                })
            }));
            assert_eq!(inside.most(), 1);
        }
        fs::remove_file(&path).unwrap();
    });
}

#[test]
fn a_read_is_told_when_another_descriptor_takes_the_number() {
    patched(|| {
        let (reader, _writer) = std::io::pipe().unwrap();
        let (other, _) = std::io::pipe().unwrap();
        let fd = reader.as_raw_fd();
        let reading = spawn(move || {
            let mut byte = 0_u8;
            let result = unsafe { libc::read(fd, (&raw mut byte).cast(), 1) };
            (result, std::io::Error::last_os_error().raw_os_error())
        });
        std::thread::yield_now();
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), fd) }, fd);
        assert_eq!(reading.join().unwrap(), (-1, Some(libc::EBADF)));
    });
}

#[test]
fn copies_within_the_kernel_wait_for_both_ends() {
    use std::os::unix::net::UnixStream;

    patched(|| {
        // std has the kernel copy: from a file to a socket, and from a pipe to a socket.
        let path = path("copied");
        let data: Vec<u8> = (0..3 << 20).map(|n| (n / 99) as u8).collect();
        fs::write(&path, &data).unwrap();
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let (mut to, mut from) = UnixStream::pair().unwrap();
        let piped = data.clone();
        let feeding = spawn(move || writer.write_all(&piped).unwrap());
        let reading = spawn(move || {
            let mut all = Vec::new();
            from.read_to_end(&mut all).unwrap();
            all
        });
        let file = fs::File::open(&path).unwrap();
        assert_eq!(std::io::copy(&mut &file, &mut to).unwrap(), data.len() as u64);
        assert_eq!(std::io::copy(&mut reader, &mut to).unwrap(), data.len() as u64);
        assert_eq!(unsafe { libc::fcntl(to.as_raw_fd(), libc::F_GETFL) } & libc::O_NONBLOCK, 0);
        drop(to);
        assert!(reading.join().unwrap() == [&*data, &*data].concat());
        feeding.join().unwrap();
        fs::remove_file(&path).unwrap();
    });
}

#[test]
fn a_splice_waits_for_what_is_not_there_yet() {
    use std::os::unix::net::UnixStream;
    use std::ptr::null_mut;

    patched(|| {
        let (mut to, from) = UnixStream::pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let splicing = spawn(move || unsafe {
            libc::splice(from.as_raw_fd(), null_mut(), writer.as_raw_fd(), null_mut(), 100, 0)
        });
        std::thread::yield_now();
        to.write_all(b"hello").unwrap();
        assert_eq!(splicing.join().unwrap(), 5);
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        assert_eq!(all, "hello");
    });
}

#[test]
fn a_copy_of_nothing_and_one_that_cannot_be_wait_for_nobody() {
    use std::os::unix::net::UnixStream;
    use std::ptr::null_mut;

    patched(|| {
        let (reader, _writer) = std::io::pipe().unwrap();
        let (_reader, writer) = std::io::pipe().unwrap();
        let (socket, other) = UnixStream::pair().unwrap();
        let splice = |input: i32, output: i32, len| {
            (unsafe { libc::splice(input, null_mut(), output, null_mut(), len, 0) }, last_error())
        };
        let send_file = |output: i32, input: i32, mut at: i64| {
            (unsafe { libc::sendfile(output, input, &mut at, 100) }, last_error())
        };
        assert_eq!(splice(reader.as_raw_fd(), writer.as_raw_fd(), 0).0, 0);
        // One of the two has to be a pipe; and what is sent has to be a file.
        assert_eq!(splice(socket.as_raw_fd(), other.as_raw_fd(), 100), (-1, Some(libc::EINVAL)));
        assert_eq!(send_file(other.as_raw_fd(), socket.as_raw_fd(), 0), (-1, Some(libc::ESPIPE)));
        // The end of a file needs no room.
        socket.set_nonblocking(true).unwrap();
        while (&socket).write(&[0; 4096]).is_ok() {}
        socket.set_nonblocking(false).unwrap();
        let file = File::open("/proc/self/exe").unwrap();
        let end = file.metadata().unwrap().len() as i64;
        assert_eq!(send_file(socket.as_raw_fd(), file.as_raw_fd(), end).0, 0);
    });
}

/// It may be a signal handler that makes it.
#[test]
fn a_copy_that_does_not_block_by_its_mode_lets_nobody_run() {
    patched(|| {
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut file = File::open("/proc/self/exe").unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        let other = spawn(|| {});
        for _ in 0..1000 {
            let (output, input) = (socket.as_raw_fd(), file.as_raw_fd());
            assert_eq!(unsafe { libc::sendfile(output, input, std::ptr::null_mut(), 1) }, 0);
        }
        assert!(!other.is_finished());
    });
}

#[test]
fn a_copy_between_files_copies_and_lets_others_run() {
    patched(|| {
        let (from, to) = (path("copy-from"), path("copy-to"));
        let data = vec![b'x'; 100_000];
        std::fs::write(&from, &data).unwrap();
        let (input, output) = (File::open(&from).unwrap(), File::create(&to).unwrap());
        let copying = spawn(move || {
            let mut sum = 0;
            loop {
                let (input, output) = (input.as_raw_fd(), output.as_raw_fd());
                let nowhere = std::ptr::null_mut;
                match unsafe { libc::copy_file_range(input, nowhere(), output, nowhere(), 60_000, 0) } {
                    0 => return sum,
                    len => sum += usize::try_from(len).unwrap(),
                }
            }
        });
        std::thread::yield_now();
        assert!(!copying.is_finished(), "not in one go");
        assert_eq!(copying.join().unwrap(), data.len());
        assert!(std::fs::read(&to).unwrap() == data);
        std::fs::remove_file(from).unwrap();
        std::fs::remove_file(to).unwrap();
    });
}

fn last_error() -> Option<i32> {
    std::io::Error::last_os_error().raw_os_error()
}

#[test]
fn a_descriptor_that_is_not_open_replaces_nothing() {
    patched(|| {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let fd = reader.as_raw_fd();
        let reading = spawn(move || reader.read(&mut [0]).unwrap());
        std::thread::yield_now();
        assert_eq!(unsafe { libc::dup2(-1, fd) }, -1);
        assert_eq!(last_error(), Some(libc::EBADF));
        std::thread::yield_now();
        assert!(!reading.is_finished());
        writer.write_all(b"x").unwrap();
        assert_eq!(reading.join().unwrap(), 1);
    });
}

#[test]
fn no_more_is_written_at_once_than_the_kernel_writes() {
    patched(|| {
        const LEN: usize = 3 << 30;
        let (read_only, map) =
            (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE);
        let data = unsafe { libc::mmap(std::ptr::null_mut(), LEN, read_only, map, -1, 0) };
        assert_ne!(data, libc::MAP_FAILED);
        let nowhere = File::options().write(true).open("/dev/null").unwrap();
        assert_eq!(unsafe { libc::write(nowhere.as_raw_fd(), data, LEN) }, 0x7fff_f000);
        unsafe { libc::munmap(data, LEN) };
    });
}

#[test]
fn nothing_at_all_is_read_and_written_as_ever() {
    patched(|| {
        let nothing = [0_u8; 0];
        let read = |fd: i32| (unsafe { libc::read(fd, nothing.as_ptr().cast_mut().cast(), 0) }, last_error());
        let write = |fd: i32| (unsafe { libc::write(fd, nothing.as_ptr().cast(), 0) }, last_error());
        // A counter of events is read and written by eight bytes.
        let counter = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, 0)) };
        assert_eq!(read(counter.as_raw_fd()), (-1, Some(libc::EINVAL)));
        assert_eq!(write(counter.as_raw_fd()), (-1, Some(libc::EINVAL)));
        // An empty pipe and a full one are not waited for.
        let (reader, mut writer) = std::io::pipe().unwrap();
        assert_eq!(read(reader.as_raw_fd()).0, 0);
        let size = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_GETPIPE_SZ) };
        writer.write_all(&vec![0; size as usize]).unwrap();
        assert_eq!(write(writer.as_raw_fd()).0, 0);
        // An empty datagram is a datagram.
        let (a, b) = std::os::unix::net::UnixDatagram::pair().unwrap();
        assert_eq!(write(a.as_raw_fd()).0, 0);
        b.set_nonblocking(true).unwrap();
        assert_eq!(b.recv(&mut [0; 8]).unwrap(), 0);
    });
}

#[test]
fn who_tries_to_lock_a_file_that_is_closed_locks_no_other() {
    patched(|| {
        let open = |name| {
            let file = File::options().create(true).truncate(true).read(true).write(true).open(path(name));
            file.unwrap()
        };
        let (held, waited) = (open("held"), open("held"));
        assert_eq!(unsafe { libc::flock(held.as_raw_fd(), libc::LOCK_EX) }, 0);
        let number = waited.into_raw_fd();
        let waiter = spawn(move || {
            let locked = unsafe { libc::flock(number, libc::LOCK_EX) };
            (locked, Error::last_os_error().raw_os_error())
        });
        thread::yield_now();
        // Its number stands for another file then.
        let other = open("other");
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), number) }, number);
        assert_eq!(waiter.join().unwrap(), (-1, Some(libc::EBADF)));
        let same = open("other");
        assert_eq!(unsafe { libc::flock(same.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }, 0);
        unsafe { libc::close(number) };
        ["held", "other"].iter().for_each(|name| fs::remove_file(path(name)).unwrap());
    });
}

#[test]
fn who_gets_signals_of_a_descriptor_is_told_from_an_error() {
    patched(|| {
        assert_eq!(unsafe { libc::fcntl(-1, libc::F_GETOWN) }, -1);
        assert_eq!(Error::last_os_error().raw_os_error(), Some(libc::EBADF));
        let (socket, _other) = UnixStream::pair().unwrap();
        let group = unsafe { libc::getpgrp() };
        for owner in [std::process::id() as c_int, -group] {
            assert_eq!(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETOWN, owner) }, 0);
            assert_eq!(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETOWN) }, owner);
        }
    });
}
