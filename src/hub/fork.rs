//! Starting over in a forked child.
//!
//! A fork copies the memory of all greenlets but not the threads, and shares what the kernel keeps for
//! the poller. So the child gets a hub of its own, and what the parent's hub knew stays behind: it is
//! neither run nor unwound, because whatever that would do, the parent does.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Fiber, FiberState, Hub};
use crate::greenlet::Greenlet;
use crate::greenlet::tag::Wake;
use crate::greenlet::thread as greenlet_thread;
use crate::greenlet::words::{self, Kept};

/// How often this process, and those that it was forked from, have started over.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// How often this process has started over: what another count belongs to is another process's.
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Starts over in a child process that was made by `fork` (gevent's `reinit`): the calling greenlet goes
/// on with a hub of its own, on the same [`Backend`](super::Backend).
///
/// To be called in the child, before it does anything else with this crate. All other greenlets that
/// were spawned, or waited for anything but a switch, are the parent's: here they are never run, and
/// never unwound, so that their destructors do not run twice. Timers are gone. Sockets, and greenlets
/// that are switched to by hand, can be used. What the parent's greenlets wait for in the child's
/// memory (a lock, a queue) still has them in its line: make such things anew.
/// [`Signals`](crate::signal::Signals) can be waited for as before; what is done on a
/// [handled](crate::signal::handle) signal, the parent does. The
/// [shared thread pool](crate::pool::ThreadPool::shared) starts anew by itself, other pools have no
/// threads.
///
/// When the calling greenlet ends, so does the child have nothing left to do: it should leave by
/// [`std::process::exit`], or by starting a program. Without this call, a child that waits takes part
/// in the parent's polling.
///
/// # Errors
///
/// If there is no descriptor for a poller. Then the child has no hub.
///
/// ```no_run
/// # unsafe extern "C" { fn fork() -> i32; }
/// // SAFETY: there are no other threads.
/// if unsafe { fork() } == 0 {
///     greenlet::hub::after_fork().unwrap();
///     let task = greenlet::spawn(|| 42);
///     std::process::exit(task.join().unwrap());
/// }
/// ```
pub fn after_fork() -> io::Result<()> {
    FORKS.fetch_add(1, Ordering::Relaxed);
    let Some(old) = super::existing() else { return Ok(()) };
    old.leave_behind();
    // Not dropped: that would change the set of descriptors that the parent polls. It is little.
    words::keep(Kept::Hub, ptr::null());
    // SAFETY: just taken out of its place, and it is never freed.
    let hub = unsafe { Hub::start(old.poller.backend())?.as_ref() };
    // Keys of the old hub's timers, which may still be about, name none of the new one's.
    hub.timers.borrow_mut().skip_keys_of(&old.timers.borrow());
    Ok(())
}

impl Hub {
    /// What was the hub's is nobody's any more.
    fn leave_behind(&self) {
        let (current, root) = (greenlet_thread::current(), Greenlet::<Wake>::root().core_ptr());
        greenlet_thread::for_each(|core| {
            let place = ptr::NonNull::from(core);
            // SAFETY: the record lives as long as its greenlet.
            let Some(fiber) = (unsafe { core.record.get().cast::<Fiber>().as_ref() }) else { return };
            if place == current || fiber.state.get() == FiberState::Running {
                return;
            }
            // Nothing makes it ready any more.
            fiber.state.set(FiberState::Ended);
            // The root may still be told that nothing is left.
            if place != root {
                core.abandon();
            }
        });
        self.poller.leave_behind();
        self.remote.leave_behind();
    }
}
