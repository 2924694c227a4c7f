//! Reads and writes whose failure is the end of a process, or of its progress.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::{IoSlice, IoSliceMut, Read, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{null, null_mut};

use greenlet::spawn;

/// A part is written, and no `SIGXFSZ` sent, which would end the process.
#[test]
fn a_write_across_the_limit_of_a_file_ends_there() {
    super::isolated("files::a_write_across_the_limit_of_a_file_ends_there", || {
        greenlet_monkey::patch_all().unwrap();
        let limit = libc::rlimit { rlim_cur: 1000, rlim_max: libc::RLIM_INFINITY };
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
        let writing = spawn(|| {
            let path = std::env::temp_dir().join(format!("greenlet-monkey-{}-limit", std::process::id()));
            let mut file = File::create(&path).unwrap();
            fs::remove_file(&path).unwrap();
            let data = [b'x'; 800];
            assert_eq!(file.write_vectored(&[IoSlice::new(&data), IoSlice::new(&data)]).unwrap(), 1000);
            file.rewind().unwrap();
            assert_eq!(file.write(&data).unwrap(), 800);
            assert_eq!(file.write(&data).unwrap(), 200);
        });
        writing.join().unwrap();
    });
}

/// A thread that blocks there lets nobody read.
#[test]
fn a_terminal_with_less_room_than_is_to_be_written_is_waited_for() {
    super::isolated("files::a_terminal_with_less_room_than_is_to_be_written_is_waited_for", || {
        greenlet_monkey::patch_all().unwrap();
        // How much room there is at what time depends on threads of the kernel.
        for from_the_master in [false, true].repeat(20) {
            let (master, slave) = pseudo_terminal(1, 0);
            let ends = if from_the_master { (master, slave) } else { (slave, master) };
            let (mut writer, mut reader) = ends;
            const LEN: usize = 100_000;
            let writing = spawn(move || writer.write_all(&[b'x'; LEN]).map(|()| writer));
            let reading = spawn(move || {
                // Little at a time, so that there is little room, too.
                let (mut part, mut len) = ([0; 1000], 0);
                while len < LEN {
                    len += reader.read(&mut part).unwrap();
                }
                len
            });
            assert_eq!(reading.join().unwrap(), LEN);
            writing.join().unwrap().unwrap();
        }
    });
}

/// As many programs read what a terminal, or a line to a device, has to say.
#[test]
fn a_terminal_that_need_not_give_a_byte_gives_none_when_its_time_is_over() {
    super::isolated("files::a_terminal_that_need_not_give_a_byte_gives_none_when_its_time_is_over", || {
        greenlet_monkey::patch_all().unwrap();
        for tenths in [0, 1] {
            let reading = spawn(move || {
                let (mut master, mut slave) = pseudo_terminal(0, tenths);
                assert_eq!(slave.read(&mut [0; 8]).unwrap(), 0);
                assert_eq!(slave.read_vectored(&mut [IoSliceMut::new(&mut [0; 8])]).unwrap(), 0);
                master.write_all(b"x").unwrap();
                // It takes a thread of the kernel to come through.
                while slave.read(&mut [0; 8]).unwrap() == 0 {}
            });
            reading.join().unwrap();
        }
    });
}

/// Both ends of a new one, through which bytes go as they are. The latter waits for so many, and for so long.
fn pseudo_terminal(least: u8, tenths: u8) -> (File, File) {
    let (mut master, mut slave) = (0, 0);
    let mut modes: libc::termios = unsafe { std::mem::zeroed() };
    unsafe { libc::cfmakeraw(&mut modes) };
    (modes.c_cc[libc::VMIN], modes.c_cc[libc::VTIME]) = (least, tenths);
    assert_eq!(unsafe { libc::openpty(&mut master, &mut slave, null_mut(), &modes, null()) }, 0);
    [master, slave].map(|fd| unsafe { File::from_raw_fd(fd) }).into()
}

/// It is ready whenever there is room for a one.
#[test]
fn a_counter_of_events_with_too_little_room_is_waited_for() {
    super::isolated("files::a_counter_of_events_with_too_little_room_is_waited_for", || {
        greenlet_monkey::patch_all().unwrap();
        let mut counter = unsafe { File::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) };
        let mut other = counter.try_clone().unwrap();
        counter.write_all(&(u64::MAX - 3).to_ne_bytes()).unwrap();
        let writing = spawn(move || counter.write_all(&5_u64.to_ne_bytes()).map(|()| counter));
        std::thread::yield_now();
        let mut count = [0; 8];
        other.read_exact(&mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), u64::MAX - 3);
        writing.join().unwrap().unwrap();
        other.read_exact(&mut count).unwrap();
        assert_eq!(u64::from_ne_bytes(count), 5);
    });
}

/// As FUSE's, which takes none in parts. Its file systems are for root to make.
#[test]
fn a_message_to_a_device_stays_whole() {
    super::isolated("files::a_message_to_a_device_stays_whole", || {
        let Some((mut device, _files)) = fuse() else { return };
        greenlet_monkey::patch_all().unwrap();
        let writing = spawn(move || {
            // An answer to what nobody has asked.
            let mut answer = [0; 8192];
            answer[..4].copy_from_slice(&8192_u32.to_ne_bytes());
            answer[8..16].copy_from_slice(&12345_u64.to_ne_bytes());
            let (head, rest) = answer.split_at(16);
            let vectored = device.write_vectored(&[IoSlice::new(head), IoSlice::new(rest)]);
            [device.write(&answer), vectored].map(|result| result.unwrap_err().raw_os_error())
        });
        assert_eq!(writing.join().unwrap(), [Some(libc::ENOENT); 2], "and not that its length is wrong");
    });
}

/// The device of a new file system, which is nowhere mounted, and what keeps that alive. `None` if it is not
/// allowed.
fn fuse() -> Option<(File, OwnedFd)> {
    const SET_STRING: i32 = 1;
    const CREATE: i32 = 6;
    let device = File::options().read(true).write(true).open("/dev/fuse").ok()?;
    let files = unsafe { libc::syscall(libc::SYS_fsopen, c"fuse".as_ptr(), 0) };
    let files = (files >= 0).then(|| unsafe { OwnedFd::from_raw_fd(files as i32) })?;
    let configure = |what: i32, key: Option<&CStr>, value: Option<&CStr>| {
        let [key, value] = [key, value].map(|text| text.map_or(null(), CStr::as_ptr));
        let done = unsafe { libc::syscall(libc::SYS_fsconfig, files.as_raw_fd(), what, key, value, 0) };
        (done == 0).then_some(())
    };
    let number = CString::new(device.as_raw_fd().to_string()).unwrap();
    for (key, value) in [(c"fd", &*number), (c"rootmode", c"40000"), (c"user_id", c"0"), (c"group_id", c"0")]
    {
        configure(SET_STRING, Some(key), Some(value))?;
    }
    configure(CREATE, None, None)?;
    Some((device, files))
}
