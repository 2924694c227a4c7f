//! Functions that are called on a signal.

use std::io;
use std::rc::Rc;

use super::Signals;
use crate::task::spawn;

/// Calls a function whenever a signal comes, until it is dropped; from [`handle`].
#[derive(Debug)]
#[must_use = "a handler that is dropped handles nothing any more"]
pub struct Handler {
    signals: Rc<Signals>,
}

/// Has `f` called whenever a signal comes, each time by a task of its own, which may wait (gevent's
/// `signal_handler`).
///
/// The former action of the signal is back when the handler is dropped. A panic of `f` is
/// [reported](crate::set_report_hook).
///
/// # Errors
///
/// As [`Signals::new`].
///
/// ```no_run
/// use std::rc::Rc;
/// use greenlet::signal::{SIGINT, handle};
/// use greenlet::sync::Event;
///
/// # fn main() -> std::io::Result<()> {
/// let interrupted = Rc::new(Event::new());
/// let _handler = handle(SIGINT, {
///     let interrupted = interrupted.clone();
///     move || interrupted.set()
/// })?;
/// println!("press Ctrl-C");
/// interrupted.wait();
/// # Ok(())
/// # }
/// ```
pub fn handle(signal: libc::c_int, f: impl Fn() + 'static) -> io::Result<Handler> {
    let signals = Rc::new(Signals::new([signal])?);
    let (listener, f) = (signals.clone(), Rc::new(f));
    drop(spawn(move || {
        while listener.next(None).is_some() {
            let f = f.clone();
            drop(spawn(move || f()));
        }
    }));
    Ok(Handler { signals })
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.signals.stop();
    }
}
