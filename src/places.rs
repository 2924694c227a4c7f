//! A set of places, a bit for each.
//!
//! Where things that were made together end in whatever order, those who give out their places again begin at the low
//! end: what is made next gets neighbours, which the processor finds before it is asked for them.

/// Some of the places below [`MOST`](Self::MOST).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Places(u64);

impl Places {
    /// How many there can be.
    pub(crate) const MOST: usize = u64::BITS as usize;

    pub(crate) const NONE: Self = Self(0);

    /// The lowest ones, so many but at least one.
    pub(crate) const fn lowest_of(count: usize) -> Self {
        Self(u64::MAX >> (Self::MOST - count))
    }

    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(crate) const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    #[inline]
    pub(crate) fn lowest(self) -> Option<usize> {
        (!self.is_empty()).then(|| self.0.trailing_zeros() as usize)
    }

    /// Takes the lowest one out.
    #[inline]
    pub(crate) fn take_lowest(&mut self) -> Option<usize> {
        let lowest = self.lowest()?;
        self.0 &= self.0 - 1;
        Some(lowest)
    }

    #[inline]
    pub(crate) fn insert(&mut self, place: usize) {
        self.0 |= 1 << place;
    }

    #[inline]
    pub(crate) fn remove(&mut self, place: usize) {
        self.0 &= !(1 << place);
    }

    /// Leaves those that are in the other set as well.
    #[inline]
    pub(crate) fn retain(&mut self, others: Self) {
        self.0 &= others.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_go_out_from_the_low_end_and_come_back_in_any_order() {
        let mut places = Places::lowest_of(3);
        assert_eq!((places.len(), places.lowest()), (3, Some(0)));
        assert_eq!([places.take_lowest(), places.take_lowest()], [Some(0), Some(1)]);
        places.insert(63);
        places.insert(0);
        assert_eq!(std::array::from_fn(|_| places.take_lowest()), [Some(0), Some(2), Some(63), None]);
        assert!(places.is_empty());
    }

    #[test]
    fn a_set_has_room_for_as_many_as_it_says() {
        let mut all = Places::lowest_of(Places::MOST);
        assert_eq!(all.len(), Places::MOST);
        assert_eq!((0..Places::MOST).filter_map(|_| all.take_lowest()).last(), Some(Places::MOST - 1));
        assert!(all == Places::NONE);
    }
}
