//! What happens where the system has no more to give, and where others take no more.

use std::cell::Cell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use greenlet::net::{TcpListener, TcpStream, UnixStream};
use greenlet::{hub, join_all, sleep, spawn, yield_now};

use crate::descriptors::limit;
use crate::{passes, refusals};

const HOUR: Duration = Duration::from_secs(3600);

/// A number of this process, as `/proc/self/status` names it.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Counts what was dropped.
struct Dropped(Rc<Cell<usize>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Spawns so many sleepers, of which some get no stack. Those are told so, with `text`; the others are as
/// good as ever, and so are tasks that come when there is room again.
fn some_get_no_stack(tasks: usize, text: &str) {
    greenlet::set_report_hook(|_| ());
    let dropped = Rc::new(Cell::new(0));
    let sleepers: Vec<_> = (0..tasks)
        .map(|_| {
            let body = Dropped(dropped.clone());
            spawn(move || {
                let _body = body;
                sleep(HOUR);
            })
        })
        .collect();
    yield_now();
    let (refused, asleep): (Vec<_>, Vec<_>) = sleepers.into_iter().partition(|task| task.is_finished());
    assert!(!refused.is_empty() && !asleep.is_empty());
    assert_eq!(dropped.get(), refused.len(), "a body that does not run is dropped, and no other");
    for task in refused {
        let error = task.join().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    let room = asleep.len() / 2;
    asleep[..room].iter().for_each(|task| task.kill().unwrap());
    join_all(&asleep[..room], None);
    let again: Vec<_> = (0..room).map(|n| spawn(move || (yield_now(), n))).collect();
    for (n, task) in again.into_iter().enumerate() {
        assert_eq!(task.join().unwrap().1, n);
    }
    asleep[room..].iter().for_each(|task| task.kill().unwrap());
    join_all(&asleep[room..], None);
    assert_eq!(dropped.get(), tasks);
}

#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer's own memory counts against the limit")]
fn a_task_without_a_stack_ends_with_an_error_and_the_others_go_on() {
    if std::env::var_os("CROSS_RUNNER").is_some() {
        return; // The emulator has the address space.
    }
    passes("limits::a_task_without_a_stack_ends_with_an_error_and_the_others_go_on", || {
        spawn(|| ()).join().unwrap();
        let most = (status("VmSize:") << 10) + (256 << 20);
        let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
        // SAFETY: reads the limit.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
        some_get_no_stack(4000, "no memory for a stack");
    });
}

/// As on kernels before 6.13, where each guard page takes memory mappings, of which there are so many.
#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer's own mappings count")]
fn without_guard_regions_the_limit_of_mappings_is_named_and_the_others_go_on() {
    if std::env::var_os("CROSS_RUNNER").is_some() {
        return; // The emulator has neither this filter nor guard regions.
    }
    passes("limits::without_guard_regions_the_limit_of_mappings_is_named_and_the_others_go_on", || {
        let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
        let limit: usize = limit.trim().parse().unwrap();
        if limit > 200_000 {
            return; // It would take too many tasks to reach it.
        }
        refusals::refuse_guard_regions();
        some_get_no_stack(limit / 2 + 1000, "vm.max_map_count");
    });
}

#[test]
fn a_hub_in_a_sandbox_that_knows_no_fine_timeouts_sleeps_by_the_millisecond() {
    if std::env::var_os("CROSS_RUNNER").is_some() {
        return; // The emulator has no such filter.
    }
    passes("limits::a_hub_in_a_sandbox_that_knows_no_fine_timeouts_sleeps_by_the_millisecond", || {
        refusals::refuse_fine_timeouts();
        (0..3).for_each(|_| sleep(Duration::from_micros(1500)));
    });
}

/// The number that the next descriptor would have.
fn next_descriptor() -> u64 {
    // SAFETY: closed again at once.
    unsafe {
        let next = libc::dup(0);
        libc::close(next);
        next as u64
    }
}

#[test]
fn hubs_that_get_no_descriptors_run_nothing() {
    passes("limits::hubs_that_get_no_descriptors_run_nothing", || {
        static RAN: AtomicUsize = AtomicUsize::new(0);
        let run = || hub::run_on(2, |_| RAN.fetch_add(1, Ordering::Relaxed));
        let before = next_descriptor();
        hub::backend();
        let next = next_descriptor();
        let a_hub = next - before;
        // Enough for one of them.
        limit(next + 2 * a_hub - 1);
        let error = run().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        assert_eq!(RAN.load(Ordering::Relaxed), 0);
        assert!(spawn(|| true).join().unwrap(), "this hub goes on");
    });
}

#[test]
fn ten_thousand_connections_that_wake_at_once_are_served_in_rounds() {
    passes("limits::ten_thousand_connections_that_wake_at_once_are_served_in_rounds", || {
        let connections = descriptors().saturating_sub(100).min(20_000) / 2;
        let (mut clients, mut servers) = (Vec::new(), Vec::new());
        for _ in 0..connections {
            let (client, mut server) = UnixStream::pair().unwrap();
            clients.push(client);
            servers.push(spawn(move || {
                let mut number = [0; 4];
                server.read_exact(&mut number).unwrap();
                server.write_all(&number).unwrap();
            }));
        }
        yield_now();
        // No server runs meanwhile: there is always room for four bytes, and std does not wait.
        for (n, client) in clients.iter().enumerate() {
            let number = (n as u32).to_le_bytes();
            // SAFETY: a socket of ours, and the buffer is as long as it says.
            let sent =
                unsafe { libc::send(std::os::fd::AsRawFd::as_raw_fd(client), number.as_ptr().cast(), 4, 0) };
            assert_eq!(sent, 4);
        }
        let rounds = Rc::new(Cell::new(0));
        let other = spawn({
            let rounds = rounds.clone();
            move || loop {
                rounds.set(rounds.get() + 1);
                yield_now();
            }
        });
        for (n, client) in clients.iter().enumerate() {
            let mut number = [0; 4];
            (&mut &*client).read_exact(&mut number).unwrap();
            assert_eq!(u32::from_le_bytes(number) as usize, n);
        }
        assert_eq!(
            join_all(&servers, None).iter().filter(|server| server.is_successful()).count(),
            connections
        );
        // A wait brings some hundreds of events at most, so that others run in between.
        let poll = hub::backend() == hub::Backend::Poll;
        assert!(poll || rounds.get() > connections / 1000, "{} rounds", rounds.get());
        other.kill().unwrap();
    });
}

/// Allows this process as many descriptors as it may have; how many that is.
fn descriptors() -> usize {
    // SAFETY: the limits are read and written as what they are.
    unsafe {
        let mut limits = std::mem::zeroed::<libc::rlimit>();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limits), 0);
        limits.rlim_cur = limits.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limits), 0);
        limits.rlim_cur as usize
    }
}

#[test]
#[cfg_attr(greenlet_sanitizer, ignore = "a sanitizer's own memory counts")]
fn a_reader_that_reads_nothing_costs_what_the_system_holds_for_it_and_no_more() {
    passes("limits::a_reader_that_reads_nothing_costs_what_the_system_holds_for_it_and_no_more", || {
        const READERS: usize = 20;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sent = Rc::new(Cell::new(0));
        let server = spawn({
            let sent = sent.clone();
            move || {
                for stream in listener.incoming() {
                    let (mut stream, sent) = (stream.unwrap(), sent.clone());
                    drop(spawn(move || {
                        let piece = [7; 16 << 10];
                        while let Ok(len) = stream.write(&piece) {
                            sent.set(sent.get() + len);
                        }
                    }));
                }
            }
        });
        let before = status("VmRSS:");
        let lazy: Vec<_> = (0..READERS).map(|_| TcpStream::connect(address).unwrap()).collect();
        // Until none of them can go on.
        let mut seen = usize::MAX;
        while seen != sent.get() || seen == 0 {
            seen = sent.get();
            sleep(Duration::from_millis(20));
        }
        let grown = (status("VmRSS:") - before) << 10;
        assert!(grown < 8 << 20 && grown < seen as u64, "{grown} bytes for {seen} that nobody reads");
        // Others are served meanwhile.
        TcpStream::connect(address).unwrap().read_exact(&mut vec![0; 1 << 20]).unwrap();
        drop(lazy);
        server.kill().unwrap();
    });
}

/// A hub that polled at intervals, for whatever reason, would be seen to switch.
#[test]
fn a_hub_with_nothing_to_do_sleeps_until_there_is_something() {
    passes("limits::a_hub_with_nothing_to_do_sleeps_until_there_is_something", || {
        const WINDOW: Duration = Duration::from_millis(500);
        let (mut stream, mut other) = UnixStream::pair().unwrap();
        drop(spawn(move || stream.read(&mut [0])));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        drop(spawn(move || listener.accept()));
        (0..100).for_each(|_| drop(spawn(|| sleep(HOUR))));
        // SAFETY: takes and changes nothing.
        let id = unsafe { libc::gettid() };
        let (answer, slept) = greenlet::threads::channel();
        std::thread::spawn(move || {
            let thread = |file| std::fs::read_to_string(format!("/proc/self/task/{id}/{file}")).unwrap();
            let sleeps = || thread("stat").rsplit_once(") ").unwrap().1.starts_with('S');
            let switches = || {
                let status = thread("status");
                let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
                line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
            };
            while !sleeps() {
                std::thread::yield_now();
            }
            let before = switches();
            std::thread::sleep(WINDOW);
            answer.send(switches() - before).unwrap();
        });
        // One more, if the first look was at something shorter than the sleep of the hub.
        assert!(slept.recv().unwrap() <= 1);
        other.write_all(b"x").unwrap();
    });
}
