//! Counts the greenlets that are alive, and the OS threads they take.

use std::cell::Cell;
use std::fs;
use std::rc::Rc;

use greenlet::GreenThread;

#[derive(Default)]
pub struct Gauge {
    alive: Cell<usize>,
    peak: Cell<usize>,
    os_threads: Cell<Option<usize>>,
}

/// One greenlet; counted until this is dropped.
struct Counted(Rc<Gauge>);

impl Gauge {
    /// Spawns a greenlet that is counted as long as it lives.
    pub fn spawn<T: 'static>(self: &Rc<Self>, task: impl FnOnce() -> T + 'static) -> GreenThread<T> {
        let counted = Counted::new(Rc::clone(self));
        greenlet::spawn(move || {
            let _counted = counted;
            task()
        })
    }

    /// Forgets the peaks so far.
    pub fn restart(&self) {
        self.peak.set(self.alive.get());
        self.os_threads.set(None);
        self.sample();
    }

    pub fn peak_greenlets(&self) -> usize {
        self.peak.get()
    }

    /// The most OS threads seen; none where the system does not tell.
    pub fn peak_os_threads(&self) -> Option<usize> {
        self.sample();
        self.os_threads.get()
    }

    fn sample(&self) {
        self.os_threads.set(self.os_threads.get().max(os_threads()));
    }
}

impl Counted {
    fn new(gauge: Rc<Gauge>) -> Self {
        gauge.alive.update(|alive| alive + 1);
        if gauge.alive.get() > gauge.peak.get() {
            gauge.peak.set(gauge.alive.get());
            gauge.sample();
        }
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.alive.update(|alive| alive - 1);
    }
}

fn os_threads() -> Option<usize> {
    Some(fs::read_dir("/proc/self/task").ok()?.count())
}
