//! What cannot be seen from above: the bytes at every place that an indirect branch may land on, and
//! the words that a walk by frame pointers reads.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::slice;

use super::imp::{
    base_of_entered, base_of_switched, enter, enter_out_of_line, init_entry, init_stack, leave, switch,
    switch_call, switch_out_of_line,
};
use super::{
    Entry, EntryOfEntered, Farewell, Message, NOT_ENTERED, ParentLink, StackPointer, nowhere_to_enter,
};

/// The instruction that an indirect jump must land on, where the processor insists: `endbr64`, or
/// `bti j`.
#[cfg(target_arch = "x86_64")]
const JUMP_PAD: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
#[cfg(target_arch = "aarch64")]
const JUMP_PAD: [u8; 4] = 0xd503249f_u32.to_le_bytes();

/// The same for a function that is called by its address: `endbr64`, or `bti c`.
#[cfg(target_arch = "x86_64")]
const CALL_PAD: [u8; 4] = JUMP_PAD;
#[cfg(target_arch = "aarch64")]
const CALL_PAD: [u8; 4] = 0xd503245f_u32.to_le_bytes();

const NOTHING: Message = Message { word: MaybeUninit::uninit(), kind: 0 };

thread_local! {
    /// Where the test itself is suspended.
    static LEFT: Cell<StackPointer> = const { Cell::new(ptr::null_mut()) };
    /// What it would have landed on there, as its visitor sees it.
    static SEEN: Cell<[u8; 4]> = const { Cell::new([0; 4]) };
}

/// Looks at what switched here, and goes back there.
unsafe extern "C" fn visit(_: MaybeUninit<usize>, _: usize, _: *const ()) -> Farewell {
    // SAFETY: whoever switched here is suspended in LEFT.
    SEEN.set(unsafe { code_at(landing(LEFT.get())) });
    Farewell::new(LEFT.get(), NOTHING)
}

/// A stack that is switched to, and calls `visit`.
unsafe fn visitor(stack: &mut Stack, link: ParentLink) -> StackPointer {
    let visit: Entry = visit;
    // SAFETY: the caller knows that nobody uses the stack.
    unsafe {
        init_stack(stack.top(), ptr::null(), link, base_of_switched);
        init_entry(stack.top(), visit as *const ())
    }
}

struct Stack(Box<[u128]>);

impl Stack {
    fn new() -> Self {
        Self(vec![0; 16 * 1024].into_boxed_slice())
    }

    fn top(&mut self) -> NonNull<u8> {
        NonNull::new(self.0.as_mut_ptr_range().end).unwrap().cast()
    }
}

/// The frame record at an address: where the next one is, and a code address.
unsafe fn frame_record(at: *const u8) -> [usize; 2] {
    // SAFETY: the caller knows that there is one.
    unsafe { at.cast::<[usize; 2]>().read() }
}

/// Where a suspended stack will continue.
unsafe fn landing(stack_pointer: StackPointer) -> usize {
    // SAFETY: the caller knows that it is suspended, and so ends in a frame record.
    unsafe { frame_record(stack_pointer)[1] }
}

unsafe fn code_at(address: usize) -> [u8; 4] {
    // SAFETY: the caller knows that there is code.
    let code = unsafe { slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(address), 4) };
    code.try_into().unwrap()
}

/// What is at the place where a switch lands that is made by `leave`, from the one pointer to the other.
fn pad_of(leave: impl Fn(*mut StackPointer, StackPointer) -> Message) -> [u8; 4] {
    let mut stack = Stack::new();
    SEEN.set([0; 4]);
    let save = LEFT.with(Cell::as_ptr);
    // SAFETY: nobody uses the stack.
    let visitor = unsafe { visitor(&mut stack, ptr::null()) };
    leave(save, visitor);
    SEEN.get()
}

#[test]
fn every_way_to_switch_lands_on_a_pad() {
    // SAFETY: each leaves once, for a fresh stack that comes back; `pass` does not unwind.
    unsafe {
        let inlined = pad_of(|save, to| switch(save, &to, NOTHING));
        let function = pad_of(|save, to| switch_out_of_line(save, to, NOTHING.word, NOTHING.kind));
        let with_a_call = pad_of(|save, to| switch_call(save, to, NOTHING.word, NOTHING.kind, pass));
        assert_eq!([inlined, function, with_a_call], [JUMP_PAD; 3]);
    }
}

unsafe extern "C" fn pass(word: MaybeUninit<usize>, kind: usize) -> Message {
    Message { word, kind }
}

#[test]
fn a_first_switch_lands_on_a_pad() {
    let mut stack = Stack::new();
    // SAFETY: nobody uses the stack, which is never switched to.
    let pad = unsafe { code_at(landing(visitor(&mut stack, ptr::null()))) };
    // On aarch64 a jump through x16 may land where a call may.
    assert_eq!(pad, CALL_PAD);
}

/// Leaves twice, with the word and the kind that it was entered with last, and so it ends.
unsafe extern "C" fn leave_twice(
    word: MaybeUninit<usize>,
    kind: usize,
    _: *const (),
    caller: StackPointer,
) -> Farewell {
    let (mut landed, mut caller) = (Ok(word), caller);
    assert_eq!(kind, 0, "what begins is plain");
    for _ in 0..2 {
        let word = landed.unwrap_or_else(|message: Message| message.word);
        // SAFETY: it is where this was entered from last.
        let left = unsafe { leave(caller, word) };
        (landed, caller) = (left.0.plain(), left.1);
    }
    Farewell::new(caller, landed.expect_err("what is no value comes last"))
}

#[test]
fn a_stack_is_entered_on_pads_until_it_ends() {
    let mut stack = Stack::new();
    let mut pads = Vec::new();
    let word = MaybeUninit::new(7);
    // SAFETY: nobody else uses the stack, and each message has the word.
    unsafe {
        let mut enter_at = |place, kind| {
            pads.push(code_at(landing(place)));
            let (landed, place) =
                if kind == 0 { enter(place, word) } else { enter_out_of_line(place, Message { word, kind }) };
            let kind = landed.plain().map_or_else(|message| message.kind, |_| 0);
            (kind, place)
        };
        let entry: EntryOfEntered = leave_twice;
        init_stack(stack.top(), ptr::null(), ptr::null(), base_of_entered);
        let (kind, place) = enter_at(init_entry(stack.top(), entry as *const ()), 0);
        assert_eq!(kind, 0);
        let (kind, place) = enter_at(place, 0);
        assert_eq!(kind, 0);
        let (kind, place) = enter_at(place, 3);
        assert_eq!((kind, place), (3, ptr::null_mut()));
    }
    assert_eq!(pads, [CALL_PAD; 3]);
}

#[test]
fn a_message_of_any_kind_may_come_before_the_last_one() {
    let mut stack = Stack::new();
    let word = MaybeUninit::new(7);
    // SAFETY: nobody else uses the stack.
    unsafe {
        let entry: EntryOfEntered = leave_twice;
        init_stack(stack.top(), ptr::null(), ptr::null(), base_of_entered);
        let (_, place) = enter(init_entry(stack.top(), entry as *const ()), word);
        let (landed, place) = enter_out_of_line(place, Message { word, kind: 5 });
        assert_eq!(landed.plain().ok().map(|word| word.assume_init()), Some(7));
        let (landed, place) = enter_out_of_line(place, Message { word, kind: 2 });
        let ended = landed.plain().expect_err("it has ended");
        assert_eq!((ended.word.assume_init(), ended.kind, place), (7, 2, ptr::null_mut()));
    }
}

#[test]
fn who_enters_nowhere_gets_the_word_back() {
    let place = nowhere_to_enter();
    // SAFETY: it may be entered any time.
    unsafe {
        assert_eq!(code_at(landing(place)), CALL_PAD);
        let (landed, place) = enter(place, MaybeUninit::new(7));
        let message = landed.plain().expect_err("nobody is there");
        assert_eq!((message.word.assume_init(), message.kind, place), (7, NOT_ENTERED, ptr::null_mut()));
    }
}

#[test]
fn the_switches_that_are_functions_begin_with_a_pad() {
    for function in [switch_out_of_line as *const (), switch_call as *const ()] {
        // SAFETY: a function is code.
        assert_eq!(unsafe { code_at(function.expose_provenance()) }, CALL_PAD);
    }
}

#[test]
fn a_walk_by_frame_pointers_goes_on_where_the_parent_waits() {
    let mut stack = Stack::new();
    let suspended = [0x1111, 0x2222];
    let parent = [ptr::from_ref(&suspended).addr(), 0];
    let link = [ptr::from_ref(&parent).addr(), 0];
    // SAFETY: nobody uses the stack; all that is followed was just laid out.
    let walk = unsafe {
        let sp = visitor(&mut stack, ptr::from_ref(&link).cast());
        let next = |record: [usize; 2]| frame_record(ptr::with_exposed_provenance(record[0]));
        let base = next(frame_record(sp));
        assert_eq!(base[1], landing(sp), "a place in the base frame");
        let own = next(base);
        let parents = next(own);
        [own, parents, next(parents)]
    };
    assert_eq!(walk, [link, parent, suspended]);
}
