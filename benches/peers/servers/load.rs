//! The load: every connection has one request under way at any time.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::machine::check;
use crate::service::{LARGEST, Service};

pub struct Load {
    connections: Vec<Connection>,
    epoll: OwnedFd,
}

struct Connection {
    stream: TcpStream,
    service: Service,
    sent: Instant,
    /// What of the answer is still to come.
    missing: &'static [u8],
}

impl Load {
    /// Makes connections, one after the other.
    pub fn connect(server: SocketAddr, service: Service, count: usize) -> Self {
        // SAFETY: makes a descriptor, which belongs to nobody else.
        let epoll = unsafe {
            let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            check(epoll).expect("an epoll instance");
            OwnedFd::from_raw_fd(epoll)
        };
        let connect = |number| {
            let stream = TcpStream::connect(server).expect("a connection");
            stream.set_nonblocking(true).expect("a mode that sockets have");
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: number as u64 };
            // SAFETY: both descriptors are open, and the event is read only.
            let added = unsafe {
                libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, stream.as_raw_fd(), &mut event)
            };
            check(added).expect("room for a descriptor");
            Connection { stream, service, sent: Instant::now(), missing: &[] }
        };
        Self { connections: (0..count).map(connect).collect(), epoll }
    }

    /// Sends one request over each connection, and waits for all answers.
    pub fn once(&mut self) {
        self.connections.iter_mut().for_each(Connection::ask);
        let mut tally = Tally::new();
        while tally.requests < self.connections.len() as u64 {
            self.take_answers(&mut tally, false);
        }
    }

    /// Keeps a request under way on each connection for some time, and then waits for all answers.
    pub fn run(&mut self, time: Duration) -> Tally {
        let mut tally = Tally::new();
        let begin = Instant::now();
        self.connections.iter_mut().for_each(Connection::ask);
        while begin.elapsed() < time {
            self.take_answers(&mut tally, true);
        }
        let expected = tally.requests + self.connections.len() as u64;
        while tally.requests < expected {
            self.take_answers(&mut tally, false);
        }
        tally.elapsed = begin.elapsed();
        tally
    }

    fn take_answers(&mut self, tally: &mut Tally, ask_again: bool) {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        // SAFETY: the buffer has room for as many events as it says.
        let count =
            unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr(), events.len() as i32, -1) };
        let count = check(count).expect("events");
        for event in &events[..count] {
            let connection = &mut self.connections[event.u64 as usize];
            if connection.take_answer() {
                tally.count(connection.sent.elapsed());
                if ask_again {
                    connection.ask();
                }
            }
        }
    }
}

impl Connection {
    fn ask(&mut self) {
        self.sent = Instant::now();
        self.missing = self.service.response();
        let request = self.service.request();
        let sent = self.stream.write(request).expect("room for one request");
        assert_eq!(sent, request.len(), "there is never more than one request under way");
    }

    /// Whether the answer is complete.
    fn take_answer(&mut self) -> bool {
        let mut buffer = [0; LARGEST];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the server has closed a connection"),
            Ok(count) => {
                let (part, rest) = self.missing.split_at_checked(count).expect("no more than the answer");
                // Names of fields may be written either way.
                assert!(part.eq_ignore_ascii_case(&buffer[..count]), "the answer that was asked for");
                self.missing = rest;
                self.missing.is_empty()
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Requests that were answered, and how long each took.
pub struct Tally {
    pub requests: u64,
    pub elapsed: Duration,
    buckets: Vec<u64>,
}

/// A bucket is this part of a power of two wide: less than a hundredth of what is in it.
const STEPS: u64 = 128;

impl Tally {
    fn new() -> Self {
        Self { requests: 0, elapsed: Duration::ZERO, buckets: vec![0; 64 * STEPS as usize] }
    }

    fn count(&mut self, took: Duration) {
        let nanoseconds = took.as_nanos() as u64 | STEPS;
        let power = nanoseconds.ilog2() - STEPS.ilog2();
        self.requests += 1;
        self.buckets[(u64::from(power) * STEPS + (nanoseconds >> power) - STEPS) as usize] += 1;
    }

    /// So many microseconds or less took that percentage of the requests.
    pub fn percentile(&self, percentage: f64) -> f64 {
        let wanted = (self.requests as f64 * percentage / 100.0).ceil() as u64;
        let mut seen = 0;
        let reaches = |count: &u64| {
            seen += count;
            seen >= wanted
        };
        let bucket = self.buckets.iter().position(reaches).unwrap_or(0) as u64;
        ((bucket % STEPS + STEPS + 1) << (bucket / STEPS)) as f64 / 1000.0
    }
}
