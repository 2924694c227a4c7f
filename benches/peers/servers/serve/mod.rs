//! The servers, which all read into a buffer of the same size, but for hyper.

mod epoll;
mod go;
mod greenlets;
mod http;
mod may;
mod smol;
mod tokio;

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;

use crate::machine;
use crate::service::Service;

/// Somebody who can serve.
pub struct Contestant {
    pub name: &'static str,
    echo: Serve,
    hello: Serve,
}

/// Serves for ever.
type Serve = fn(TcpListener) -> io::Result<()>;

const CONTESTANTS: [Contestant; 6] = [
    Contestant {
        name: "greenlet",
        echo: |listener| greenlets::serve(listener, echo),
        hello: |listener| greenlets::serve(listener, http::hello),
    },
    Contestant {
        name: "tokio",
        echo: |listener| tokio::serve(listener, tokio::echo),
        hello: |listener| tokio::serve(listener, tokio::hello),
    },
    Contestant {
        name: "smol",
        echo: |listener| smol::serve(listener, smol::echo),
        hello: |listener| smol::serve(listener, smol::hello),
    },
    Contestant {
        name: "may",
        echo: |listener| may::serve(listener, echo),
        hello: |listener| may::serve(listener, http::hello),
    },
    Contestant {
        name: go::NAME,
        echo: |listener| go::serve(listener, Service::Echo),
        hello: |listener| go::serve(listener, Service::Hello),
    },
    Contestant {
        name: "bare epoll",
        echo: |listener| epoll::serve(listener, epoll::echo),
        hello: |listener| epoll::serve(listener, epoll::hello),
    },
];

/// Those that can be had on this machine.
pub fn contestants() -> Vec<Contestant> {
    let has_go = go::build();
    CONTESTANTS.into_iter().filter(|its| its.name != go::NAME || has_go).collect()
}

/// How much is read at once.
const BUFFER: usize = 1024;

/// Serves in this process; the first line of output says where, and who this is.
pub fn main(name: &str, service: Service, core: Option<usize>) {
    core.into_iter().for_each(machine::stay_on);
    let contestant = CONTESTANTS.into_iter().find(|its| its.name == name).expect("a contestant");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a mode that sockets have");
    // SAFETY: the descriptor is open. All connections may come before the first is accepted.
    machine::check(unsafe { libc::listen(listener.as_raw_fd(), 16_384) }).expect("a longer queue");
    println!("{} {}", listener.local_addr().expect("an address"), std::process::id());
    let serve = match service {
        Service::Echo => contestant.echo,
        Service::Hello => contestant.hello,
    };
    serve(listener).expect("connections");
}

/// In blocking style.
fn echo(mut stream: impl Read + Write) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}
