//! The floor: one loop around epoll, which keeps nothing about a connection but its descriptor. So it takes it that
//! a request comes as a whole, as it does here.

use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};

use super::BUFFER;
use super::http::Requests;
use crate::machine::check;
use crate::service::RESPONSE;

/// `request` answers one and says whether the connection stays.
pub fn serve(listener: TcpListener, request: impl Fn(&mut TcpStream) -> io::Result<bool>) -> io::Result<()> {
    // SAFETY: makes a descriptor, which stays open.
    let epoll = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })? as RawFd;
    let watch = |fd: RawFd| {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: fd as u64 };
        // SAFETY: both descriptors are open, and the event is read only.
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) })
    };
    watch(listener.as_raw_fd())?;
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
    loop {
        // SAFETY: the buffer has room for as many events as it says.
        let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), events.len() as i32, -1) };
        for event in &events[..check(count)?] {
            let fd = event.u64 as RawFd;
            if fd == listener.as_raw_fd() {
                watch(listener.accept()?.0.into_raw_fd())?;
            } else {
                answer(fd, &request);
            }
        }
    }
}

/// Answers one request, or closes the connection.
fn answer(fd: RawFd, request: impl Fn(&mut TcpStream) -> io::Result<bool>) {
    // SAFETY: an event says that it is open, and it is closed nowhere else.
    let mut stream = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(fd) });
    if !matches!(request(&mut stream), Ok(true)) {
        drop(ManuallyDrop::into_inner(stream));
    }
}

pub fn echo(stream: &mut TcpStream) -> io::Result<bool> {
    let mut buffer = [0; BUFFER];
    let count = stream.read(&mut buffer)?;
    stream.write_all(&buffer[..count])?;
    Ok(count > 0)
}

pub fn hello(stream: &mut TcpStream) -> io::Result<bool> {
    let mut requests = Requests::new();
    requests.filled = stream.read(requests.room()?)?;
    let whole = requests.take()?;
    if whole {
        stream.write_all(RESPONSE)?;
    }
    Ok(whole)
}
