//! What is in a folder.

use std::collections::VecDeque;
use std::fmt;
use std::fs::DirEntry;
use std::io;
use std::sync::{Arc, Mutex};

use super::off_thread;
use crate::lock::lock;

/// So many entries are fetched at a time: a thread for each would take longer than the folder.
const FETCHED: usize = 256;

/// The entries of a folder, as [`std::fs::ReadDir`] has them.
///
/// Names and mostly types are in the entry; [`DirEntry::metadata`] asks the disk, on the calling thread.
/// Where no thread is to be had that reads on, or who waits for it is interrupted, no entry is lost: to ask
/// once more tries again.
pub struct ReadDir {
    at_hand: VecDeque<io::Result<DirEntry>>,
    /// `None` once the end is at hand.
    folder: Option<Arc<Mutex<Folder>>>,
}

/// What the thread sees that reads. It may go on when nobody waits for it any more.
struct Folder {
    fetched: VecDeque<io::Result<DirEntry>>,
    entries: std::fs::ReadDir,
    at_end: bool,
}

impl ReadDir {
    pub(super) fn new(entries: std::fs::ReadDir) -> Self {
        let folder = Folder { fetched: VecDeque::new(), entries, at_end: false };
        Self { at_hand: VecDeque::new(), folder: Some(Arc::new(Mutex::new(folder))) }
    }

    #[track_caller]
    fn fetch(&mut self, folder: Arc<Mutex<Folder>>) -> io::Result<()> {
        let reader = folder.clone();
        off_thread(move || {
            lock(&reader).fetch();
            Ok(())
        })?;
        let mut folder = lock(&folder);
        self.at_hand = std::mem::take(&mut folder.fetched);
        if folder.at_end {
            self.folder = None;
        }
        Ok(())
    }
}

impl Folder {
    /// Reads on, unless there is something that nobody has taken.
    fn fetch(&mut self) {
        if self.fetched.is_empty() && !self.at_end {
            self.fetched.extend(self.entries.by_ref().take(FETCHED));
            self.at_end = self.fetched.len() < FETCHED;
        }
    }
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    #[track_caller]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at_hand.is_empty()
            && let Some(folder) = self.folder.clone()
            && let Err(error) = self.fetch(folder)
        {
            return Some(Err(error));
        }
        self.at_hand.pop_front()
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir").field("at_hand", &self.at_hand.len()).finish_non_exhaustive()
    }
}
