//! Queues without room, where putter and getter meet.

use super::{Channel, QueueOf};

impl<T> Channel<T> {
    /// A channel where nobody waits.
    pub const fn new() -> Self {
        QueueOf::with_capacity(0)
    }
}

impl<T> Default for Channel<T> {
    fn default() -> Self {
        Self::new()
    }
}
