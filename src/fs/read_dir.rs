//! What is in a folder.

use std::collections::VecDeque;
use std::fmt;
use std::fs::DirEntry;
use std::io;

use super::off_thread;

/// So many entries are fetched at a time: a thread for each would take longer than the folder.
const FETCHED: usize = 256;

/// The entries of a folder, as [`std::fs::ReadDir`] has them.
///
/// Names and mostly types are in the entry; [`DirEntry::metadata`] asks the disk, on the calling thread.
pub struct ReadDir {
    fetched: VecDeque<io::Result<DirEntry>>,
    /// `None` once the end was fetched, and while somebody fetches.
    rest: Option<std::fs::ReadDir>,
}

impl ReadDir {
    pub(super) fn new(entries: std::fs::ReadDir) -> Self {
        Self { fetched: VecDeque::new(), rest: Some(entries) }
    }

    #[track_caller]
    fn fetch(&mut self, mut rest: std::fs::ReadDir) -> io::Result<()> {
        let (fetched, rest) = off_thread(move || {
            let fetched: VecDeque<_> = rest.by_ref().take(FETCHED).collect();
            let more = fetched.len() == FETCHED;
            Ok((fetched, more.then_some(rest)))
        })?;
        (self.fetched, self.rest) = (fetched, rest);
        Ok(())
    }
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        if self.fetched.is_empty()
            && let Some(rest) = self.rest.take()
            && let Err(error) = self.fetch(rest)
        {
            return Some(Err(error));
        }
        self.fetched.pop_front()
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir").field("rest", &self.rest).finish_non_exhaustive()
    }
}
