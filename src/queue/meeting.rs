//! Where there is no room: a putter who finds a getter waiting, and stays until that one has its item.

use std::time::Instant;

use super::{PutError, QueueOf, Storage};
use crate::hub;

impl<S: Storage> QueueOf<S> {
    /// Gives an item to a getter who waits, and waits until it, or another one, has taken the item. From here on that
    /// is the getters', even if this is unwound; only who waits in vain to its end takes it back.
    #[track_caller]
    pub(super) fn hand_over(&self, item: S::Item, until: Option<Instant>) -> Result<(), PutError<S::Item>> {
        let ticket = self.push(item);
        let hub = hub::here();
        hub.wait_with(ticket, &self.handing, until, "somebody to take its item", &|| ());
        // A getter who was woken for it is about to run, or to be unwound: it takes the item, or gives up its claim.
        // That is over in a round, unless a trace hook makes the getter wait before, so there is no line for it.
        while self.is_claimed() && self.items.borrow().holds(ticket) {
            hub.yield_now();
        }
        let left = self.items.borrow_mut().take_back(ticket);
        left.map_or(Ok(()), |item| {
            self.finish(1);
            Err(self.refuse(item))
        })
    }

    /// An item has gone. If it was handed over, its putter is told.
    #[inline]
    pub(super) fn tell_who_handed_it_over(&self) {
        let first = self.handing.first();
        if first.is_some_and(|ticket| !self.items.borrow().holds(ticket)) {
            self.handing.wake_one();
        }
    }
}
