//! Ten thousand connections.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;

use greenlet::spawn;

const CONNECTIONS: usize = 10_000;

/// How many descriptors this process may have, now that it has asked for all that it can get.
fn descriptors() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
    }
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

#[test]
fn ten_thousand_connections_of_std_net_on_one_thread() {
    let said = super::isolated("scale::ten_thousand_connections_of_std_net_on_one_thread", || {
        // Emulated, it takes too long.
        let connections = if std::env::var_os("CROSS_RUNNER").is_some() { 200 } else { CONNECTIONS };
        let possible = (descriptors() - 100) / 2;
        if possible < connections {
            eprintln!("only {possible}: this process may not have more descriptors");
        }
        let connections = connections.min(possible);
        greenlet_monkey::patch_all().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // The queue of std's listeners is short, and a connection that finds it full tries again after a second.
        unsafe { libc::listen(std::os::fd::AsRawFd::as_raw_fd(&listener), 4096) };
        let address = listener.local_addr().unwrap();
        drop(spawn(move || {
            for mut connection in listener.incoming().map_while(Result::ok) {
                drop(spawn(move || {
                    let mut buffer = [0; 64];
                    while let Ok(len @ 1..) = connection.read(&mut buffer) {
                        connection.write_all(&buffer[..len]).unwrap();
                    }
                }));
            }
        }));
        let (open, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let all_open = Rc::new(greenlet::sync::Event::new());
        let clients: Vec<_> = (0..connections)
            .map(|n| {
                let (open, most, all_open) = (open.clone(), most.clone(), all_open.clone());
                spawn(move || {
                    let mut stream = TcpStream::connect(address).unwrap();
                    open.set(open.get() + 1);
                    most.set(most.get().max(open.get()));
                    if open.get() == connections {
                        all_open.set();
                    }
                    all_open.wait();
                    for round in 0..2_usize {
                        let message = (n + round).to_ne_bytes();
                        stream.write_all(&message).unwrap();
                        let mut answer = [0; 8];
                        stream.read_exact(&mut answer).unwrap();
                        assert_eq!(answer, message);
                    }
                    open.set(open.get() - 1);
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        assert_eq!(most.get(), connections, "all at the same time");
        // An emulator has threads of its own.
        if std::env::var_os("CROSS_RUNNER").is_none() {
            assert_eq!(std::fs::read_dir("/proc/self/task").unwrap().count(), 2, "libtest's and ours");
        }
    });
    if said.contains("only") {
        eprintln!("{said}");
    }
}
