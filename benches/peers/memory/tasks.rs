//! Crowds with a scheduler. Those that sleep are aborted in their sleep; those that wait for a queue get
//! an item each, and those that read from a socket the end of what there is.

use std::future::Future;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_channel::Receiver;
use may::go;
use smol::Async;
use tokio::net::UnixStream;

use crate::census::{Census, Crowd};

pub const CROWDS: [Crowd; 8] = [
    Crowd { contestant: "tokio", parked: "sleep", live: tokio_sleep },
    Crowd { contestant: "tokio", parked: "queue", live: tokio_queue },
    Crowd { contestant: "tokio", parked: "recv", live: tokio_recv },
    Crowd { contestant: "smol", parked: "sleep", live: smol_sleep },
    Crowd { contestant: "smol", parked: "queue", live: smol_queue },
    Crowd { contestant: "smol", parked: "recv", live: smol_recv },
    Crowd { contestant: "may", parked: "sleep", live: may_sleep },
    Crowd { contestant: "may", parked: "queue", live: may_queue },
];

const LONG: Duration = Duration::from_secs(3600);

async fn receive_one(receiver: Receiver<()>) {
    receiver.recv().await.expect("its sender is there");
}

fn start<Task>(count: usize, census: &Census, mut spawn: impl FnMut() -> Task) -> Vec<Task> {
    let start = |_| {
        let task = spawn();
        census.one_more();
        task
    };
    (0..count).map(start).collect()
}

/// Returns when every task has run that was spawned before.
async fn let_all_run<F: Future>(spawn: impl FnOnce(std::future::Ready<()>) -> F) {
    spawn(std::future::ready(())).await;
}

fn tokio_block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future);
}

fn tokio_sleep(count: usize, census: &mut Census) {
    tokio_block_on(async {
        let tasks = start(count, census, || tokio::spawn(tokio::time::sleep(LONG)));
        let_all_run(tokio::spawn).await;
        census.everybody_is_here();
        tasks.iter().for_each(|task| task.abort());
        for task in tasks {
            assert!(task.await.is_err());
        }
    });
}

fn tokio_queue(count: usize, census: &mut Census) {
    tokio_block_on(async {
        let (sender, receiver) = async_channel::unbounded();
        let tasks = start(count, census, || tokio::spawn(receive_one(receiver.clone())));
        let_all_run(tokio::spawn).await;
        census.everybody_is_here();
        (0..count).for_each(|_| sender.try_send(()).expect("it has no bounds"));
        for task in tasks {
            task.await.expect("it does not panic");
        }
    });
}

fn tokio_recv(count: usize, census: &mut Census) {
    tokio_block_on(async {
        let (socket, other) = UnixStream::pair().expect("a pair of sockets");
        let socket = Arc::new(socket);
        let receive = |socket: Arc<UnixStream>| async move {
            socket.readable().await.expect("a socket that works");
            assert_eq!(socket.try_read(&mut [0; 64]).expect("a socket that works"), 0);
        };
        let tasks = start(count, census, || tokio::spawn(receive(socket.clone())));
        let_all_run(tokio::spawn).await;
        census.everybody_is_here();
        drop(other);
        for task in tasks {
            task.await.expect("it does not panic");
        }
    });
}

fn smol_sleep(count: usize, census: &mut Census) {
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let sleep = || async { _ = smol::Timer::after(LONG).await };
        let tasks = start(count, census, || executor.spawn(sleep()));
        let_all_run(|ready| executor.spawn(ready)).await;
        census.everybody_is_here();
        for task in tasks {
            assert!(task.cancel().await.is_none());
        }
    }));
}

fn smol_queue(count: usize, census: &mut Census) {
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let (sender, receiver) = async_channel::unbounded();
        let tasks = start(count, census, || executor.spawn(receive_one(receiver.clone())));
        let_all_run(|ready| executor.spawn(ready)).await;
        census.everybody_is_here();
        (0..count).for_each(|_| sender.try_send(()).expect("it has no bounds"));
        for task in tasks {
            task.await;
        }
    }));
}

fn smol_recv(count: usize, census: &mut Census) {
    let executor = smol::LocalExecutor::new();
    smol::block_on(executor.run(async {
        let (socket, other) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
        let socket = Arc::new(Async::new(socket).expect("a socket for the reactor"));
        let receive = |socket: Arc<Async<std::os::unix::net::UnixStream>>| async move {
            let read = socket.read_with(|mut socket| socket.read(&mut [0; 64])).await;
            assert_eq!(read.expect("a socket that works"), 0);
        };
        let tasks = start(count, census, || executor.spawn(receive(socket.clone())));
        let_all_run(|ready| executor.spawn(ready)).await;
        census.everybody_is_here();
        drop(other);
        for task in tasks {
            task.await;
        }
    }));
}

/// Starts coroutines one after the other, so that one which cannot be had is noticed, and waits until all
/// have run.
fn may_start(
    count: usize,
    census: &mut Census,
    body: impl Fn() + Clone + Send + 'static,
) -> Vec<may::coroutine::JoinHandle<()>> {
    may::config().set_workers(1);
    let begun = Arc::new(AtomicUsize::new(0));
    let spawn = || {
        let (begun, body) = (begun.clone(), body.clone());
        go!(move || {
            begun.fetch_add(1, Ordering::Relaxed);
            body();
        })
    };
    let coroutines = start(count, census, spawn);
    while begun.load(Ordering::Relaxed) < count {
        std::thread::yield_now();
    }
    census.everybody_is_here();
    coroutines
}

fn may_sleep(count: usize, census: &mut Census) {
    let coroutines = may_start(count, census, || may::coroutine::sleep(LONG));
    for coroutine in &coroutines {
        // SAFETY: nothing on its stack is used by others.
        unsafe { coroutine.coroutine().cancel() };
    }
    for coroutine in coroutines {
        assert!(coroutine.join().is_err());
    }
}

fn may_queue(count: usize, census: &mut Census) {
    let (sender, receiver) = may::sync::mpmc::channel();
    let coroutines = may_start(count, census, move || receiver.recv().expect("its sender is there"));
    (0..count).for_each(|_| sender.send(()).expect("its receivers are there"));
    for coroutine in coroutines {
        coroutine.join().expect("it does not panic");
    }
}
