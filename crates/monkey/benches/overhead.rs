//! What a call that does not block costs more when it is taken over: a byte through a socket pair and back.
//!
//! The same calls in the same run, on a thread that has a hub and on one that has none, which goes to libc.

use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};

/// Sends and receives so often; how long that took.
fn send_and_receive((a, b): &mut (UnixStream, UnixStream), times: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..times {
        a.write_all(black_box(b"12345678")).unwrap();
        b.read_exact(black_box(&mut [0; 8])).unwrap();
    }
    start.elapsed()
}

fn overhead(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send_and_recv");
    let mut pair = UnixStream::pair().unwrap();
    if greenlet_monkey::patch_all().is_err() {
        return;
    }
    // This thread has no hub yet: its calls are passed on.
    group.bench_function("libc", |bencher| bencher.iter_custom(|times| send_and_receive(&mut pair, times)));
    greenlet::yield_now();
    group.bench_function("taken_over", |bencher| {
        bencher.iter_custom(|times| send_and_receive(&mut pair, times));
    });
    group.finish();
}

criterion_group!(benches, overhead);
criterion_main!(benches);
