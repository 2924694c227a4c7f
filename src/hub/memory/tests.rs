//! What cannot be seen from above: where pieces are, and when they go back.

use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{OWNER, Owner, Size, end_epoch, give_back, kept_lists, may_be_past_a_peak, pieces, take};
use crate::random;

/// Of a word, of a few, of the largest size, of no size that chunks have, and of one that is aligned to more.
static SIZES: [Size; 5] = [
    Size::of::<u64>(),
    Size::of::<[u8; 70]>(),
    Size::of::<[u64; 64]>(),
    Size::of::<[u64; 65]>(),
    Size::of::<Aligned>(),
];

#[repr(align(64))]
struct Aligned(#[expect(dead_code, reason = "it only takes room")] u8);

/// A piece that is filled with its number.
struct Piece {
    memory: NonNull<u8>,
    size: &'static Size,
    number: u8,
}

impl Piece {
    fn take(size: &'static Size, number: u8) -> Self {
        let memory = take(size);
        assert!(memory.addr().get().is_multiple_of(size.layout.align()));
        // SAFETY: memory of this size.
        unsafe { memory.write_bytes(number, size.layout.size()) };
        Self { memory, size, number }
    }

    fn address(&self) -> usize {
        self.memory.addr().get()
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let bytes = ptr::slice_from_raw_parts(self.memory.as_ptr(), self.size.layout.size());
        // SAFETY: memory of this size, which was written, and which nobody uses any more.
        unsafe {
            assert!((&*bytes).iter().all(|&byte| byte == self.number), "nobody else has written here");
            give_back(self.memory, self.size);
        }
    }
}

/// On a thread of its own, which has no lists before.
fn on_fresh_thread(test: impl FnOnce() + Send + 'static) {
    thread::spawn(test).join().unwrap();
}

/// How many chunks this thread has, and how many of them are in use.
fn chunks() -> (usize, usize) {
    let lists = kept_lists().expect("something was taken");
    (lists.spans.len(), lists.keepers.get() - 1)
}

#[derive(Clone, Debug)]
enum Step {
    Take(usize, usize),
    GiveBack(Vec<Index>),
    EndEpoch,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0..SIZES.len(), 1..200_usize).prop_map(|(size, count)| Step::Take(size, count)),
        10 => vec(any::<Index>(), 1..200).prop_map(Step::GiveBack),
        1 => Just(Step::EndEpoch),
    ]
}

proptest! {
    #![proptest_config(random::config(20, 20))]

    #[test]
    fn each_piece_has_one_user_at_a_time(steps in vec(step(), 1..100)) {
        on_fresh_thread(|| {
            let mut in_use = Vec::new();
            for (number, step) in (0..=u8::MAX).cycle().zip(steps) {
                match step {
                    Step::Take(size, count) => in_use.extend((0..count).map(|_| Piece::take(&SIZES[size], number))),
                    Step::GiveBack(which) => {
                        for index in which.iter().take(in_use.len()) {
                            in_use.swap_remove(index.index(in_use.len()));
                        }
                    }
                    Step::EndEpoch => end_epoch(),
                }
            }
        });
    }
}

#[test]
fn neighbours_go_out_one_after_the_other_however_they_came_back() {
    on_fresh_thread(|| {
        let mut in_use: Vec<_> = (0..1000).map(|_| Piece::take(&SIZES[1], 1)).collect();
        (0..1000).for_each(|n| drop(in_use.swap_remove(n * 7919 % in_use.len())));
        let taken: Vec<_> = (0..1000).map(|_| Piece::take(&SIZES[1], 2)).collect();
        let neighbours = taken.windows(2).filter(|pair| pair[1].address() == pair[0].address() + 72);
        // The others begin a chunk.
        assert_eq!(999 - neighbours.count(), 1000 / usize::from(pieces(9)));
    });
}

#[test]
fn a_chunk_that_is_empty_is_for_pieces_of_any_size() {
    on_fresh_thread(|| {
        let words: Vec<_> = (0..10_000).map(|_| Piece::take(&SIZES[0], 1)).collect();
        let (chunks_then, _) = chunks();
        drop(words);
        assert_eq!(chunks().1, 1, "one of a size stays");
        let _others: Vec<_> = (0..100).map(|_| Piece::take(&SIZES[2], 1)).collect();
        assert_eq!(chunks().0, chunks_then);
    });
}

#[test]
fn one_piece_again_and_again_is_the_same() {
    on_fresh_thread(|| {
        let first = Piece::take(&SIZES[0], 1).address();
        assert!((0..1000).all(|_| Piece::take(&SIZES[0], 1).address() == first));
        assert_eq!(chunks().1, 1);
    });
}

fn peak(number: u8) -> Vec<Piece> {
    (0..100_000).map(|_| Piece::take(&SIZES[1], number)).collect()
}

#[test]
fn after_a_peak_memory_goes_back_once_nobody_has_wanted_it_for_an_epoch() {
    on_fresh_thread(|| {
        let first = peak(1);
        let (_, at_peak) = chunks();
        assert!(!may_be_past_a_peak());
        end_epoch();
        drop(first);
        end_epoch();
        assert!(chunks().0 >= at_peak, "somebody wanted all of it in this epoch");
        drop(peak(2));
        end_epoch();
        assert!(chunks().0 >= at_peak && may_be_past_a_peak(), "and in this one");
        end_epoch();
        assert!(chunks().0 <= at_peak / 10 && !may_be_past_a_peak(), "{} of {at_peak} are left", chunks().0);
    });
}

#[test]
fn what_is_in_use_stays_as_memory_goes_back() {
    on_fresh_thread(|| {
        let few: Vec<_> = peak(1).into_iter().step_by(10_000).collect();
        let (before, _) = chunks();
        (0..2).for_each(|_| end_epoch());
        let (after, _) = chunks();
        assert!(after < before);
        drop((peak(2), few));
    });
}

#[test]
fn pieces_may_come_back_when_the_lists_are_gone() {
    on_fresh_thread(|| {
        let earlier: Vec<_> = (0..1000).map(|_| Piece::take(&SIZES[1], 1)).collect();
        let lists = NonNull::from(kept_lists().expect("something was taken"));
        drop(OWNER.with(|owner| Owner(Cell::new(owner.0.take()))));
        assert!(kept_lists().is_none());
        // SAFETY: there are pieces in use.
        assert_eq!(unsafe { lists.as_ref() }.keepers.get(), 1000_usize.div_ceil(pieces(9).into()));
        drop(earlier);
    });
}

#[test]
fn lists_without_an_owner_keep_no_empty_chunk_of_any_size() {
    on_fresh_thread(|| {
        let in_use = Piece::take(&SIZES[1], 1);
        [0, 2].into_iter().for_each(|size| drop(Piece::take(&SIZES[size], 2)));
        let lists = NonNull::from(kept_lists().expect("something was taken"));
        drop(OWNER.with(|owner| Owner(Cell::new(owner.0.take()))));
        // SAFETY: there is a piece in use.
        assert_eq!(unsafe { lists.as_ref() }.keepers.get(), 1);
        drop(in_use);
    });
}

#[test]
fn who_has_no_lists_any_more_gets_a_piece_nevertheless() {
    struct Late(Option<Piece>);
    impl Drop for Late {
        fn drop(&mut self) {
            assert!(kept_lists().is_none(), "what was first used later is gone sooner");
            let some: Vec<_> = (0..100).map(|_| Piece::take(&SIZES[1], 7)).collect();
            assert_eq!(chunks().1 + 1, 2, "they share chunks, though nobody owns them");
            drop((self.0.take(), some));
            assert!(kept_lists().is_none(), "what is empty is gone");
        }
    }
    on_fresh_thread(|| {
        thread_local!(static LATE: std::cell::RefCell<Late> = const { std::cell::RefCell::new(Late(None)) });
        LATE.with(|late| assert!(late.borrow().0.is_none()));
        let early = Piece::take(&SIZES[1], 1);
        LATE.with(|late| late.borrow_mut().0 = Some(early));
    });
}
