//! Calls that libc makes by means that nobody can take over. A thread of greenlet's shared pool makes the whole
//! call, while the greenlet waits as for a futex.
//!
//! Whoever asks may be gone before there is an answer, so nothing here knows of the asker's memory.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use greenlet::hub::embed;
use greenlet::pool::ThreadPool;

use super::futex;
use super::raw::{errno, set_errno};

/// Asked, and not answered.
const ASKED: u32 = 0;
const ANSWERED: u32 = 1;
/// There was no thread to answer.
const REFUSED: u32 = 2;

/// A call, shared by the one who asks and the thread that answers.
struct Away<C, A> {
    make: C,
    /// Written before the state is [`ANSWERED`], and taken after.
    answer: UnsafeCell<Option<(A, c_int)>>,
    state: AtomicU32,
}

// SAFETY: the answer belongs to the thread that answers, and once the state says so, to the one who asks; or to
// whoever holds this last.
unsafe impl<C: Send + Sync, A: Send> Sync for Away<C, A> {}

/// Tells whoever asked that there is an answer, or, dropped, that there is none.
struct Answering<C, A>(Arc<Away<C, A>>);

/// Makes a call elsewhere, and sets `errno` if that has. `None` if the greenlet is interrupted first: then
/// the answer is dropped when it comes.
pub(super) fn away<A: Send + 'static>(make: impl Fn() -> A + Send + Sync + 'static) -> Option<A> {
    if embed::is_interrupted() {
        return None;
    }
    let away = Arc::new(Away { make, answer: UnsafeCell::new(None), state: AtomicU32::new(ASKED) });
    let answering = Answering(away.clone());
    drop(ThreadPool::shared().spawn(move || answering.answer()));
    loop {
        match away.state.load(Ordering::Acquire) {
            ASKED if embed::is_interrupted() => return None,
            // SAFETY: it exists.
            ASKED => drop(unsafe { futex::wait(&away.state, ASKED, u32::MAX, None) }),
            REFUSED => return Some((away.make)()),
            _ => {
                // SAFETY: the thread has done with it.
                let (answer, errno) = unsafe { (*away.answer.get()).take() }?;
                if errno != 0 {
                    set_errno(errno);
                }
                return Some(answer);
            }
        }
    }
}

impl<C: Fn() -> A, A> Answering<C, A> {
    fn answer(self) {
        set_errno(0);
        let answer = (self.0.make)();
        // SAFETY: nobody looks before the state says so.
        unsafe { *self.0.answer.get() = Some((answer, errno())) };
        self.0.state.store(ANSWERED, Ordering::Release);
    }
}

impl<C, A> Drop for Answering<C, A> {
    fn drop(&mut self) {
        let state = &self.0.state;
        let _ = state.compare_exchange(ASKED, REFUSED, Ordering::AcqRel, Ordering::Acquire);
        futex::wake(ptr::from_ref(state) as usize, usize::MAX, u32::MAX);
    }
}
