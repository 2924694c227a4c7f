//! Floor 4: descriptors of any kind, and the streams that a process is born with.
//!
//! What blocks here makes only the calling greenlet wait. Nothing here changes the mode of a
//! description that others may share: what must not block is asked first, with `poll(2)`.

mod cooperative;
mod descriptor;
mod detached;
pub mod fd;
mod pipe;
mod poll;
mod poll_fd;
mod sockaddr;

pub use self::cooperative::{Cooperative, stderr, stdin, stdout};
pub use self::detached::Detached;
pub use self::pipe::{PipeReader, PipeWriter, pipe};
pub use self::poll::{Selected, poll, select};
pub use self::poll_fd::{Interest, PollFd};

pub(crate) use self::descriptor::{View, adopt, descriptor, reads, release, set_nonblocking, writes};
pub(crate) use self::sockaddr::SystemAddr;
