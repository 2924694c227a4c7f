//! Buffers of which a part is done.

use libc::iovec;

/// The buffers of a vectored call.
#[derive(Clone, Copy)]
pub(super) struct Pieces<'a>(&'a [iovec]);

impl Pieces<'_> {
    /// # Safety
    ///
    /// There are so many, or the pointer is null and there are none.
    pub(super) unsafe fn new(first: *const iovec, count: usize) -> Self {
        if first.is_null() || count > libc::UIO_MAXIOV as usize {
            // The kernel says what is wrong with it.
            return Self(&[]);
        }
        // SAFETY: the caller's word.
        Self(unsafe { std::slice::from_raw_parts(first, count) })
    }

    /// Of all of them together.
    pub(super) fn len(self) -> usize {
        self.0.iter().fold(0, |sum, piece| sum.saturating_add(piece.iov_len))
    }

    /// What comes after `done` bytes: the rest of one of them.
    pub(super) fn after(self, mut done: usize) -> (usize, usize) {
        for piece in self.0 {
            if done < piece.iov_len {
                return (piece.iov_base as usize + done, piece.iov_len - done);
            }
            done -= piece.iov_len;
        }
        (0, 0)
    }
}
