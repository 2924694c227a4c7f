//! Makes a failing program smaller where proptest gives up.
//!
//! Operations name greenlets by how many there are, so that to leave one operation out often takes
//! another one with it.

use crate::program::Op;

/// Leaves operations out, one or two at a time, as long as the program still fails.
pub fn smaller(program: Vec<Op>, fails: impl Fn(&[Op]) -> bool) -> Vec<Op> {
    let shorter = without_one_or_two(&program).find(|shorter| fails(shorter));
    match shorter {
        Some(shorter) => smaller(shorter, fails),
        None => program,
    }
}

fn without_one_or_two(program: &[Op]) -> impl Iterator<Item = Vec<Op>> {
    let pairs =
        (0..program.len()).flat_map(|first| (first..program.len()).map(move |second| (first, second)));
    pairs.map(|(first, second)| {
        let kept = |&(place, _): &(usize, &Op)| place != first && place != second;
        program.iter().enumerate().filter(kept).map(|(_, op)| *op).collect()
    })
}
