//! Servers, where a mistake would block the whole thread.

use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::net;

use greenlet::net::UnixListener;
use greenlet::server::StreamServer;

use crate::passes;

/// Only on Linux does who connects to such a queue wait.
#[test]
fn starting_again_where_somebody_elses_queue_is_full_now_is_an_error() {
    passes("servers::starting_again_where_somebody_elses_queue_is_full_now_is_an_error", || {
        let path = std::env::temp_dir().join(format!("greenlet-queue-{}", std::process::id()));
        let server = StreamServer::new(UnixListener::bind(&path).unwrap(), |_| ()).unwrap();
        server.stop(None).unwrap();
        std::fs::remove_file(&path).unwrap();
        let other = net::UnixListener::bind(&path).unwrap();
        // SAFETY: takes no memory.
        assert_eq!(unsafe { libc::listen(other.as_raw_fd(), 0) }, 0);
        let _first = net::UnixStream::connect(&path).unwrap();
        assert_eq!(server.start().unwrap_err().kind(), ErrorKind::AddrInUse);
        std::fs::remove_file(path).unwrap();
    });
}
