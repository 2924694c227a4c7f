//! The end of a queue.

use super::queue_of::raise;
use super::{QueueOf, Storage};

impl<S: Storage> QueueOf<S> {
    /// Takes no more items: from now on putting fails, for those who wait to put as well. What is in the
    /// queue can still be taken out; after that, getting fails. Does nothing the second time. (Python
    /// 3.13's `shutdown()`.)
    pub fn shutdown(&self) {
        if self.shut_down.replace(true) {
            return;
        }
        self.putters.wake_all();
        self.handing.wake_all();
        // Whoever waits for an item waits because all are claimed. A claim on nothing tells them.
        while self.getters.wake_one() {
            raise(&self.claimed);
        }
    }

    /// [Shuts down](Self::shutdown) and takes everything out, in the order of getting (Python 3.13's
    /// `shutdown(immediate=True)`, which drops it). These items count as [done](Self::task_done).
    pub fn shutdown_now(&self) -> Vec<S::Item> {
        self.shutdown();
        let mut left = Vec::new();
        while let Some(item) = self.pop() {
            left.push(item);
        }
        self.finish(left.len());
        left
    }

    /// Whether the queue was shut down.
    pub fn is_shut_down(&self) -> bool {
        self.shut_down.get()
    }
}
