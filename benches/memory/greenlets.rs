//! Crowds of this crate.

use std::io::Read;
use std::rc::Rc;
use std::time::Duration;

use greenlet::net::UnixStream;
use greenlet::queue::Queue;
use greenlet::{GreenThread, Greenlet, join_all, sleep, spawn, yield_now};

use crate::census::{Census, Crowd};

const NAME: &str = "greenlet";

pub const CROWDS: [Crowd; 5] = [
    Crowd {
        contestant: NAME,
        parked: "switch, 64 KiB",
        live: |count, census| switch(64 << 10, count, census),
    },
    Crowd {
        contestant: NAME,
        parked: "switch, default stack",
        live: |count, census| switch(greenlet::DEFAULT_STACK_SIZE, count, census),
    },
    Crowd { contestant: NAME, parked: "sleep", live: sleepers },
    Crowd { contestant: NAME, parked: "queue", live: queue },
    Crowd { contestant: NAME, parked: "recv", live: recv },
];

/// Each is started, switches back once, and is switched to once more. There is no hub.
fn switch(stack: usize, count: usize, census: &mut Census) {
    let main = Greenlet::<()>::current();
    let mut crowd = Vec::with_capacity(count);
    for _ in 0..count {
        let main = main.clone();
        let g = Greenlet::builder().stack_size(stack).build(move |()| main.switch(()));
        g.switch(());
        crowd.push(g);
        census.one_more();
    }
    census.everybody_is_here();
    crowd.iter().for_each(|g| g.switch(()));
    assert!(crowd.iter().all(Greenlet::is_dead));
}

fn start(count: usize, census: &mut Census, body: impl Fn() + Clone + 'static) -> Vec<GreenThread<()>> {
    let start = |_| {
        let task = spawn(body.clone());
        census.one_more();
        task
    };
    let crowd = (0..count).map(start).collect();
    yield_now();
    census.everybody_is_here();
    crowd
}

/// They are killed in their sleep.
fn sleepers(count: usize, census: &mut Census) {
    let crowd = start(count, census, || sleep(Duration::from_secs(3600)));
    crowd.iter().for_each(|sleeper| sleeper.kill().expect("it does not refuse"));
    assert_eq!(join_all(&crowd, None).len(), count);
}

/// Each gets an item.
fn queue(count: usize, census: &mut Census) {
    let queue = Rc::new(Queue::unbounded());
    let getters = {
        let queue = queue.clone();
        start(count, census, move || queue.get().expect("it is not shut down"))
    };
    (0..count).for_each(|_| queue.put(()).expect("it is not shut down"));
    assert_eq!(join_all(&getters, None).len(), count);
}

/// All read from one socket, which is closed by the other side.
fn recv(count: usize, census: &mut Census) {
    let (socket, other) = UnixStream::pair().expect("a pair of sockets");
    let readers = start(count, census, move || {
        let read = socket.clone().read(&mut [0; 64]);
        assert_eq!(read.expect("a socket that works"), 0);
    });
    drop(other);
    assert_eq!(join_all(&readers, None).len(), count);
}
