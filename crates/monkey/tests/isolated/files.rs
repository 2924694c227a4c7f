//! Writes whose failure is the end of a process, or of its progress.

use std::fs::{self, File};
use std::io::{IoSlice, Seek, Write};

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
