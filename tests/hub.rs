//! The hub itself. Numbers are those of the statements and of the bugs in the studies of gevent and
//! eventlet that the scheduler is held to: "gevent 10".

use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use greenlet::hub::{Backend, HubHandle, backend, use_backend};
use greenlet::net::UnixStream;
use greenlet::sync::Event;
use greenlet::{hub, sleep, spawn, yield_now};

const MS: Duration = Duration::from_millis(1);

/// What a thread of its own finds.
fn on_a_thread<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    std::thread::spawn(body).join().unwrap()
}

// gevent 111
#[test]
fn each_thread_chooses_its_backend_before_its_hub_starts() {
    for chosen in [Backend::Poll, Backend::System] {
        on_a_thread(move || {
            use_backend(chosen).unwrap();
            assert_eq!(backend(), chosen);
            let error = use_backend(Backend::Poll).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
            let (mut a, mut b) = UnixStream::pair().unwrap();
            let echo = spawn(move || {
                let mut byte = [0];
                b.read_exact(&mut byte).unwrap();
                b.write_all(&byte).unwrap();
            });
            sleep(MS);
            a.write_all(b"x").unwrap();
            a.read_exact(&mut [0]).unwrap();
            echo.join().unwrap();
        });
    }
}

#[test]
fn a_hub_that_has_started_keeps_its_backend() {
    on_a_thread(|| {
        sleep(MS);
        let before = backend();
        assert!(use_backend(Backend::Poll).is_err() && use_backend(Backend::System).is_err());
        assert_eq!(backend(), before);
    });
}

#[test]
fn backends_have_names() {
    for backend in [Backend::Poll, Backend::System] {
        assert_eq!(backend.to_string().parse(), Ok(backend));
    }
    let error = "kqueue".parse::<Backend>().unwrap_err();
    assert_eq!(error.to_string(), "there is no backend `kqueue`; there are `system` and `poll`");
}

/// The processor's time that this thread has used.
fn computed() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: fills in the structure.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

// E20
#[test]
fn a_wait_that_ends_within_a_millisecond_is_one_wait_and_not_many() {
    for chosen in [Backend::Poll, Backend::System] {
        on_a_thread(move || {
            use_backend(chosen).unwrap();
            let (_a, b) = UnixStream::pair().unwrap();
            // Somebody waits for a descriptor, as the hub of the original did, too.
            drop(spawn(move || (&b).read(&mut [0])));
            sleep(MS);
            let (start, before) = (Instant::now(), computed());
            (0..100).for_each(|_| sleep(MS * 9 / 10));
            let (took, sleeping) = (start.elapsed(), computed() - before);
            // What one who looks all the time has of a processor that others use as well.
            let (start, before) = (Instant::now(), computed());
            while start.elapsed() < took {}
            let busy = computed() - before;
            assert!(
                sleeping < busy / 2,
                "{chosen}: {sleeping:?} in {took:?}, of {busy:?} that were to be had"
            );
        });
    }
}

// gevent 10
#[test]
fn a_loop_exit_names_a_hundred_and_counts_the_rest() {
    let event = Rc::new(Event::new());
    let tasks: Vec<_> = (0..120)
        .map(|_| {
            let event = event.clone();
            spawn(move || event.wait())
        })
        .collect();
    let payload = catch_unwind(AssertUnwindSafe(|| event.wait())).unwrap_err();
    let report = payload.downcast_ref::<String>().unwrap();
    assert_eq!(report.matches(": an event").count(), 100, "{report}");
    assert!(report.ends_with("and 21 more"), "{report}");
    event.set();
    greenlet::join_all(&tasks, None);
}

#[test]
fn a_hub_that_sleeps_for_a_handle_alone_looks_again_when_that_goes() {
    for _ in 0..20 {
        let (handle, gone) = (HubHandle::current(), Arc::new(AtomicBool::new(false)));
        std::thread::spawn({
            let gone = gone.clone();
            move || {
                std::thread::sleep(MS);
                gone.store(true, Ordering::SeqCst);
                drop(handle);
            }
        });
        assert!(hub::join(None));
        assert!(gone.load(Ordering::SeqCst), "it was waited for");
    }
}

/// How often somebody takes his turn until another one has read what was there before.
fn turns_before_a_read(turn: impl Fn()) -> usize {
    let (mut a, mut b) = UnixStream::pair().unwrap();
    let reader = spawn(move || b.read(&mut [0]).unwrap());
    yield_now();
    a.write_all(b"x").unwrap();
    let turns = (0..100_000).take_while(|_| !reader.is_finished()).map(|_| turn()).count();
    assert!(reader.wait(Some(Duration::ZERO)), "it never got to read");
    turns
}

// gevent 9
#[test]
fn those_who_are_always_ready_keep_others_from_their_sockets_for_so_many_turns_and_so_long_at_most() {
    let turns = turns_before_a_read(yield_now);
    assert!(turns < 100, "{turns} turns that took no time");
    let turns = turns_before_a_read(|| {
        let start = Instant::now();
        while start.elapsed() < 2 * MS {}
        yield_now();
    });
    assert!(turns < 5, "{turns} turns that took long");
}

#[test]
fn who_sleeps_for_no_time_again_and_again_keeps_nobody_from_a_socket() {
    let turns = turns_before_a_read(|| sleep(Duration::from_nanos(1)));
    assert!(turns < 5, "{turns} turns");
}
