//! An allocator that calls what is taken over: its own lock for one, and if it is told so, much else.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_int;
use std::os::fd::IntoRawFd;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use greenlet::hub::HubHandle;
use greenlet::net::UdpSocket;
use greenlet::pool::{Group, Pile};
use greenlet::queue::{LifoQueue, PriorityQueue, Queue};
use greenlet::sync::Event;
use greenlet::{Greenlet, Task, join_all, sleep, spawn, yield_now};
use greenlet_monkey::{Part, counts};

struct Locked;

static LOCK: Mutex<()> = Mutex::new(());

static COUNTING: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Whether allocations are to wait.
static DAWDLING: AtomicBool = AtomicBool::new(false);
/// The two ends of a pipe that they go through then.
static PIPE: OnceLock<[c_int; 2]> = OnceLock::new();

fn make_pipe() {
    let (reader, writer) = std::io::pipe().unwrap();
    PIPE.set([reader.into_raw_fd(), writer.into_raw_fd()]).unwrap();
}

fn let_allocations_wait(wait: bool) {
    DAWDLING.store(wait, Ordering::Relaxed);
}

/// Waits in several ways.
fn dawdle() {
    let Some(&[reader, writer]) = PIPE.get().filter(|_| DAWDLING.load(Ordering::Relaxed)) else { return };
    let moment = libc::timespec { tv_sec: 0, tv_nsec: 1000 };
    let mut byte = 0_u8;
    unsafe {
        libc::sched_yield();
        libc::nanosleep(&moment, ptr::null_mut());
        libc::poll(ptr::null_mut(), 0, 0);
        assert_eq!(libc::write(writer, (&raw const byte).cast(), 1), 1);
        assert_eq!(libc::read(reader, (&raw mut byte).cast(), 1), 1);
    }
}

unsafe impl GlobalAlloc for Locked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        dawdle();
        if COUNTING.load(Ordering::Relaxed) {
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
        let _guard = LOCK.lock().unwrap();
        if layout.size().is_multiple_of(16) {
            // Others come while it is held.
            unsafe { libc::syscall(libc::SYS_sched_yield) };
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let _guard = LOCK.lock().unwrap();
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Locked = Locked;

#[test]
fn an_allocators_lock_is_waited_for_without_allocating() {
    super::isolated("allocator::an_allocators_lock_is_waited_for_without_allocating", || {
        greenlet_monkey::patch_all().unwrap();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                thread::spawn(|| {
                    let tasks: Vec<_> = (0..20)
                        .map(|_| {
                            spawn(|| {
                                for n in 0..2000_usize {
                                    drop(vec![0_u8; n % 100 + 1]);
                                    if n % 10 == 0 {
                                        thread::yield_now();
                                    }
                                }
                            })
                        })
                        .collect();
                    join_all(&tasks, None);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(counts(Part::Sync).parked > 0, "somebody waited for the lock");
    });
}

#[test]
fn waits_allocate_nothing_once_all_has_grown() {
    super::isolated("allocator::waits_allocate_nothing_once_all_has_grown", || {
        use std::io::{Read, Write};
        use std::os::unix::net::UnixStream;
        use std::sync::Condvar;

        greenlet_monkey::patch_all().unwrap();
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let (mutex, condition) = (Mutex::new(()), Condvar::new());
        let mut wait = || {
            thread::sleep(Duration::from_millis(1));
            b.read_exact(&mut [0]).unwrap();
            drop(condition.wait_timeout(mutex.lock().unwrap(), Duration::from_millis(1)).unwrap());
            let mut fd = libc::pollfd { fd: -1, events: 0, revents: 0 };
            unsafe { libc::poll(&mut fd, 1, 1) };
        };
        let writer = spawn(move || {
            for _ in 0..2 {
                thread::sleep(Duration::from_millis(3));
                a.write_all(b"x").unwrap();
            }
            thread::sleep(Duration::from_millis(50));
        });
        wait();
        COUNTING.store(true, Ordering::Relaxed);
        wait();
        COUNTING.store(false, Ordering::Relaxed);
        assert_eq!(COUNT.load(Ordering::Relaxed), 0);
        writer.join().unwrap();
    });
}

/// If it did, others might run after it has looked whether a signal has come, and before it is parked.
#[test]
fn the_first_wait_for_a_descriptor_allocates_nothing() {
    super::isolated("allocator::the_first_wait_for_a_descriptor_allocates_nothing", || {
        use std::io::{Read, Write};
        use std::os::unix::net::UnixStream;

        greenlet_monkey::patch_all().unwrap();
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let reader = spawn(move || {
            COUNTING.store(true, Ordering::Relaxed);
            b.read_exact(&mut [0]).unwrap();
            COUNTING.store(false, Ordering::Relaxed);
        });
        greenlet::yield_now();
        assert!(counts(Part::Socket).parked > 0, "it waits");
        a.write_all(b"x").unwrap();
        reader.join().unwrap();
        assert_eq!(COUNT.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_call_from_within_the_allocator_does_not_call_the_allocator() {
    super::isolated("allocator::a_call_from_within_the_allocator_does_not_call_the_allocator", || {
        use std::io::{Read, Write};
        use std::os::unix::net::UnixStream;
        use std::sync::{Arc, mpsc};

        make_pipe();
        greenlet_monkey::patch_all().unwrap();
        let_allocations_wait(true);
        let sum = Arc::new(Mutex::new(0));
        let (sender, receiver) = mpsc::channel();
        let tasks: Vec<_> = (0..10_usize)
            .map(|n| {
                let (sum, sender) = (sum.clone(), sender.clone());
                spawn(move || {
                    let (mut a, mut b) = UnixStream::pair().unwrap();
                    let echo = spawn(move || {
                        let mut text = vec![0; 100];
                        b.read_exact(&mut text).unwrap();
                        b.write_all(&text).unwrap();
                    });
                    for round in 1..50 {
                        *sum.lock().unwrap() += vec![1_usize; round].len();
                        sender.send(format!("{n}: {round}")).unwrap();
                    }
                    thread::sleep(Duration::from_millis(1));
                    a.write_all(&[n as u8; 100]).unwrap();
                    let mut text = Vec::new();
                    a.read_to_end(&mut text).unwrap();
                    assert_eq!(text, [n as u8; 100]);
                    echo.join().unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(*sum.lock().unwrap(), 10 * (1..50).sum::<usize>());
        assert_eq!(receiver.try_iter().count(), 10 * 49);
        assert!(counts(Part::Time).parked > 0, "an allocation has waited");
        let_allocations_wait(false);
    });
}

/// Others come while it grows.
#[test]
fn what_greenlets_share_may_grow_while_allocations_wait() {
    super::isolated("allocator::what_greenlets_share_may_grow_while_allocations_wait", || {
        make_pipe();
        greenlet_monkey::patch_all().unwrap();
        let queues = (Queue::unbounded(), LifoQueue::unbounded(), PriorityQueue::unbounded());
        let (queues, pile, group) = (Rc::new(queues), Rc::new(Pile::of_size(500)), Rc::new(Group::new()));
        let linked = Rc::new(spawn(|| (0..200).for_each(|_| yield_now())));
        let socket = Rc::new(UdpSocket::bind(("127.0.0.1", 0)).unwrap());
        let start = Rc::new(Event::new());
        let_allocations_wait(true);
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (queues, pile, group) = (queues.clone(), pile.clone(), group.clone());
                let (linked, socket, start) = (linked.clone(), socket.clone(), start.clone());
                spawn(move || {
                    start.wait();
                    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
                    assert_eq!(group.imap_unordered(0..20, |n| n).count(), 20);
                    for n in 0..20 {
                        queues.0.put(n).unwrap();
                        queues.1.put(n).unwrap();
                        queues.2.put(n).unwrap();
                        pile.spawn(move || n);
                        let member = group.spawn(|| ());
                        assert!(group.contains(&member));
                        member.minimal_ident();
                        group.members();
                        linked.link(|_| ());
                    }
                })
            })
            .collect();
        yield_now();
        start.set();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        // More than have slept before.
        let nap = |n| Duration::from_micros(if n % 2 == 0 { 500 } else { 5000 });
        let sleepers: Vec<_> = (0..300).map(|n| spawn(move || sleep(nap(n)))).collect();
        sleepers.into_iter().for_each(|task| task.join().unwrap());
        let_allocations_wait(false);
        assert_eq!([queues.0.len(), queues.1.len(), queues.2.len(), pile.len()], [400; 4]);
        assert!(counts(Part::Time).parked > 0, "an allocation has waited");
    });
}

#[test]
fn greenlets_may_be_made_while_others_are_listed() {
    super::isolated("allocator::greenlets_may_be_made_while_others_are_listed", || {
        make_pipe();
        greenlet_monkey::patch_all().unwrap();
        let stay = Rc::new(Event::new());
        let_allocations_wait(true);
        let makers: Vec<_> = (0..10)
            .map(|_| {
                let stay = stay.clone();
                spawn(move || {
                    for _ in 0..20 {
                        let stay = stay.clone();
                        let made = Greenlet::builder().name("made").spawn(move || stay.wait());
                        assert!(Task::all().contains(&made));
                    }
                })
            })
            .collect();
        makers.into_iter().for_each(|maker| maker.join().unwrap());
        let_allocations_wait(false);
        stay.set();
        assert!(counts(Part::Time).parked > 0, "an allocation has waited");
    });
}

/// The hub allocates a record of it then. What it waits for must not come before it does.
#[test]
fn a_thread_that_waits_for_the_first_time_misses_nothing() {
    super::isolated("allocator::a_thread_that_waits_for_the_first_time_misses_nothing", || {
        make_pipe();
        greenlet_monkey::patch_all().unwrap();
        let task = spawn(|| ());
        let_allocations_wait(true);
        task.join().unwrap();
        let_allocations_wait(false);
    });
}

/// Where greenlets are unwound, whoever yields gives the turn to who unwinds it. That must not take an allocation.
#[test]
fn an_allocator_may_yield_while_its_hub_ends() {
    super::isolated("allocator::an_allocator_may_yield_while_its_hub_ends", || {
        greenlet_monkey::patch_all().unwrap();
        make_pipe();
        let ends = thread::spawn(|| {
            let_allocations_wait(true);
            drop(spawn(|| drop(vec![0_u8; 100])));
            yield_now();
        });
        ends.join().unwrap();
        let_allocations_wait(false);
        assert!(counts(Part::Time).parked > 0, "an allocation has waited");
    });
}

/// A task that ends looks for the one that is to continue, and has no time to wait.
#[test]
fn a_task_that_ends_has_a_stack_made_for_the_next_one_while_nobody_else_runs() {
    super::isolated(
        "allocator::a_task_that_ends_has_a_stack_made_for_the_next_one_while_nobody_else_runs",
        || {
            make_pipe();
            greenlet_monkey::patch_all().unwrap();
            // Every other one keeps its stack for a while. From the end of one to the begin of the next, allocations
            // wait.
            let task = |n| {
                spawn(move || {
                    let_allocations_wait(false);
                    if n % 2 == 0 {
                        thread::sleep(Duration::from_millis(100));
                    }
                    let_allocations_wait(true);
                })
            };
            let tasks: Vec<_> = (0..600).map(task).collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
            let_allocations_wait(false);
        },
    );
}

greenlet::local! {
    static KEPT_HERE: u32 = 7;
}

/// To wait, it has to be known to the hub, which keeps what it knows beside the local data.
#[test]
fn a_greenlet_may_wait_for_the_first_time_while_room_is_made_for_its_local_data() {
    super::isolated(
        "allocator::a_greenlet_may_wait_for_the_first_time_while_room_is_made_for_its_local_data",
        || {
            make_pipe();
            greenlet_monkey::patch_all().unwrap();
            let root = thread::spawn(|| {
                // There is a hub, which has not seen the root yet.
                drop(HubHandle::current());
                let_allocations_wait(true);
                KEPT_HERE.with(|kept| assert_eq!(*kept, 7));
                let_allocations_wait(false);
                // What was freed is somebody else's now.
                let others: Vec<_> = (0..64).map(|n| vec![u8::MAX; 16 * n]).collect();
                thread::sleep(Duration::from_millis(1));
                drop(others);
            });
            root.join().unwrap();
        },
    );
}
