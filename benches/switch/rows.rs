//! The rows of the switch layer. Every figure is of *one way*: there and back is two elements.

use crate::suite::Row;

/// The size of every stack, in bytes.
pub const STACK: usize = 64 * 1024;

pub const UNIT: Row = Row::new("switch, ()", 2);
pub const WORD: Row = Row::new("switch, a word", 2);
pub const BYTES: Row = Row::new("switch, 64 bytes", 2);
pub const TRY: Row = Row::new("try_switch, a word", 2);
/// Both ends behind a `dyn Fn`.
pub const DYN: Row = Row::new("switch, a word, through dyn Fn", 2);
/// Both ends in functions that are not inlined.
pub const NOT_INLINED: Row = Row::new("switch, a word, not inlined", 2);

pub const GENERATOR_UNIT: Row = Row::new("resume and yield, ()", 2);
pub const GENERATOR_WORD: Row = Row::new("resume and yield, a word", 2);

/// One that catches it where it waits, and waits again: two switches.
pub const THROW: Row = Row::new("throw, catch, switch back", 1);
/// Its stack is unwound.
pub const KILL: Row = Row::new("create + start + kill", 1);
pub const FINISH: Row = Row::new("create + run + finish, recycled stack", 1);
/// On a stack that was never used.
pub const FRESH: Row = Row::new("create + start, fresh stack", 1).samples(20);

/// To each in turn from one, and back.
pub const HUB_1000: Row = Row::new("hub and 1000 in turn, a word", 2 * 1000).samples(20);
pub const HUB_10000: Row = Row::new("hub and 10000 in turn, a word", 2 * 10_000).samples(20);
/// From each straight to the next.
pub const RING_10000: Row = Row::new("ring of 10000, a word", 10_000 + 1).samples(20);
pub const RING_100000: Row = Row::new("ring of 100000, a word", 100_000 + 1).samples(10);

pub const ROWS: &[Row] = &[
    UNIT,
    WORD,
    BYTES,
    TRY,
    DYN,
    NOT_INLINED,
    GENERATOR_UNIT,
    GENERATOR_WORD,
    THROW,
    KILL,
    FINISH,
    FRESH,
    HUB_1000,
    HUB_10000,
    RING_10000,
    RING_100000,
];
