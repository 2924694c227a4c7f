//! A producer and two consumers on one thread: the coroutine that Python makes of `yield`.
//!
//! A consumer waits where it yields. The producer brings it to its first yield, and continues it
//! with each bun. Whoever is still waiting at the end is unwound.

use greenlet::Generator;

fn consumer(name: &'static str) -> Generator<Option<u32>, (), ()> {
    Generator::new(move |yielder, _| {
        println!("---->start eating baozi......");
        while let Some(bun) = yielder.yield_(()) {
            println!("[{name}] is eating baozi {bun}");
        }
    })
}

pub(crate) fn main() {
    let mut consumers = ["c1", "c2"].map(consumer);
    for consumer in &mut consumers {
        consumer.resume(None);
    }
    for bun in 1..=5 {
        for consumer in &mut consumers {
            consumer.resume(Some(bun));
        }
        println!("\x1b[32;1m[producer]\x1b[0m is making baozi {bun}");
    }
}
