//! How a value becomes the word that a switch carries, and a value again.
//!
//! A value of a word or less travels in the register itself. A larger one stays where the
//! sender has it, and its address travels: the receiver reads it before anything else runs.
//! Where something else may run first (a hook, a destructor), it travels in a box.

use std::any::Any;
use std::mem::{self, MaybeUninit};
use std::ptr;

use super::error::SwitchError;
use super::raised::Raised;
use super::tag::Tag;
use crate::arch::Message;

/// A value: in the word, or at the address in the word.
pub(crate) const VALUE: usize = 0;
/// A value in a box whose address is in the word.
const BOXED: usize = 1;
/// A [`Raised`].
const RAISED: usize = 2;
/// A value of any type, in a box of a box, for one who waits for none.
const UNWANTED: usize = 3;

pub(crate) const fn fits_in_word<T>() -> bool {
    size_of::<T>() <= size_of::<usize>()
}

/// The word for the value in `slot`, which counts as moved out once the receiver has it.
#[inline(always)]
pub(crate) fn pack<T>(slot: &MaybeUninit<T>) -> MaybeUninit<usize> {
    if fits_in_word::<T>() {
        let mut word = MaybeUninit::uninit();
        // SAFETY: a T is no larger than the word; bytes beyond it stay uninitialised.
        unsafe {
            ptr::copy_nonoverlapping(slot.as_ptr().cast::<u8>(), word.as_mut_ptr() as *mut u8, size_of::<T>())
        };
        word
    } else {
        MaybeUninit::new(slot.as_ptr().expose_provenance())
    }
}

/// The message with the value in `slot`, see [`pack`].
#[inline(always)]
pub(crate) fn packed<T>(slot: &MaybeUninit<T>) -> Message {
    Message { word: pack(slot), kind: VALUE }
}

/// The value of a message of kind [`VALUE`], or of one that came back as it was sent.
///
/// # Safety
///
/// The message came from [`pack`] with the same T, is used once, and the slot still stands.
#[inline(always)]
pub(crate) unsafe fn unpack<T>(word: MaybeUninit<usize>) -> T {
    if fits_in_word::<T>() {
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: the word holds the bytes of a T, by the caller's word.
        unsafe {
            ptr::copy_nonoverlapping(word.as_ptr().cast::<u8>(), value.as_mut_ptr().cast(), size_of::<T>());
            value.assume_init()
        }
    } else {
        // SAFETY: the word is the address of a T in a slot, by the caller's word.
        unsafe { ptr::with_exposed_provenance::<T>(word.assume_init()).read() }
    }
}

/// What a message of any kind holds.
///
/// # Safety
///
/// The message was made for a receiver of T, and is used once.
#[inline]
pub(crate) unsafe fn open<T>(message: Message) -> Result<T, Raised> {
    match message.kind {
        // SAFETY: the caller's word.
        VALUE => Ok(unsafe { unpack(message.word) }),
        BOXED => {
            // SAFETY: the caller's word; `seal` put the T in a box.
            let value =
                unsafe { Box::from_raw(ptr::with_exposed_provenance_mut::<T>(message.word.assume_init())) };
            Ok(*value)
        }
        // SAFETY: the caller's word.
        _ => Err(unsafe { open_raised(message) }),
    }
}

/// What a message holds that is raised where it lands.
///
/// # Safety
///
/// It was made by [`raised`], and is used once.
pub(crate) unsafe fn open_raised(message: Message) -> Raised {
    debug_assert_eq!(message.kind, RAISED);
    // SAFETY: the caller's word.
    unsafe { Raised::from_word(message.word) }
}

/// What a message for one who waits for anything holds: nothing, or a value to be dropped.
///
/// # Safety
///
/// The message was made by [`nothing`], [`raised`] or [`Parcel::seal_unwanted`], and is used once.
pub(crate) unsafe fn open_unwanted(message: Message) -> Result<Option<Box<dyn Any>>, Raised> {
    match message.kind {
        VALUE => Ok(None),
        UNWANTED => {
            // SAFETY: the caller's word; `seal_unwanted` made the box.
            let value = unsafe {
                Box::from_raw(ptr::with_exposed_provenance_mut::<Box<dyn Any>>(message.word.assume_init()))
            };
            Ok(Some(*value))
        }
        // SAFETY: the caller's word.
        _ => Err(unsafe { open_raised(message) }),
    }
}

/// Drops what a message holds.
///
/// # Safety
///
/// As for [`open`].
pub(crate) unsafe fn discard<T>(message: Message) {
    // SAFETY: the caller's word.
    drop(unsafe { open::<T>(message) });
}

/// Drops what a message for one who waits for anything holds.
///
/// # Safety
///
/// As for [`open_unwanted`].
pub(crate) unsafe fn discard_unwanted(message: Message) {
    // SAFETY: the caller's word.
    drop(unsafe { open_unwanted(message) });
}

/// A message that only brings control.
pub(crate) fn nothing() -> Message {
    Message { word: MaybeUninit::uninit(), kind: VALUE }
}

/// A message that is raised where it lands.
pub(crate) fn raised(raised: Raised) -> Message {
    Message { word: raised.into_word(), kind: RAISED }
}

/// A value or something raised, on its way to a receiver that is still being looked for.
pub(crate) struct Parcel<T> {
    pub(crate) content: Result<T, Raised>,
}

impl<T: 'static> Parcel<T> {
    /// Whether a greenlet that waits for `waits_for` can take it.
    pub(crate) fn suits(&self, waits_for: Tag) -> bool {
        self.content.is_err() || waits_for == Tag::of::<T>()
    }

    /// Whether `waits_for` is somebody parked in a scheduler, and this not what the scheduler sends.
    pub(crate) fn cannot_be_for(&self, waits_for: Tag) -> bool {
        let fits = self.content.is_ok() && waits_for.is(Tag::of::<T>());
        !fits && waits_for == Tag::PARKED && (self.content.is_err() || Tag::of::<T>() != Tag::PARKED)
    }

    /// The message. `slot` is where a larger value waits for the receiver; with `None` it
    /// travels in a box, because something else may run before the receiver does.
    pub(crate) fn seal(self, slot: Option<&mut MaybeUninit<T>>) -> Message {
        match (self.content, slot) {
            (Err(raised), _) => self::raised(raised),
            (Ok(value), Some(slot)) => {
                slot.write(value);
                packed(slot)
            }
            (Ok(value), None) if fits_in_word::<T>() => packed(&MaybeUninit::new(value)),
            (Ok(value), None) => Message {
                word: MaybeUninit::new(Box::into_raw(Box::new(value)).expose_provenance()),
                kind: BOXED,
            },
        }
    }

    /// The message for one who waits for anything. It is that side's to drop the value: whatever its
    /// destructor does, control has moved by then.
    pub(crate) fn seal_unwanted(self) -> Message {
        match self.content {
            Ok(_) if !mem::needs_drop::<T>() => nothing(),
            Ok(value) => {
                let value: Box<Box<dyn Any>> = Box::new(Box::new(value));
                Message { word: MaybeUninit::new(Box::into_raw(value).expose_provenance()), kind: UNWANTED }
            }
            Err(raised) => self::raised(raised),
        }
    }

    /// Replaces a value by the reason why it goes no further, which carries the value.
    pub(crate) fn refuse(&mut self, error: SwitchError) {
        let content = mem::replace(&mut self.content, Err(Raised::exit()));
        self.content = Err(Raised::refused(error, content.ok()));
    }

    /// What a sender that waits for a W gets back when nothing moves.
    pub(crate) fn refused<W: 'static>(mut self, error: SwitchError) -> Result<W, Raised> {
        self.refuse(error);
        self.for_sender()
    }

    /// What a sender that waits for a W gets if it is the receiver, too.
    pub(crate) fn for_sender<W: 'static>(self) -> Result<W, Raised> {
        let mut value = Some(self.content?);
        // The same type under two names, or else nothing that it could take.
        match (&mut value as &mut dyn Any).downcast_mut::<Option<W>>().and_then(Option::take) {
            Some(value) => Ok(value),
            None => Err(Raised::refused(SwitchError::wrong_type::<T>(), value)),
        }
    }
}
