//! Which tasks there are, and who spawned whom.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ptr::NonNull;

use super::Task;
use super::shared::Counted;
use crate::greenlet::thread;
use crate::hub::{Fiber, FiberState};

impl Task {
    /// The tasks of this thread that have not ended, in the order in which they were spawned.
    ///
    /// ```
    /// use greenlet::Task;
    ///
    /// let task = greenlet::spawn(|| ());
    /// assert_eq!(Task::all(), [task.clone()]);
    /// task.join().unwrap();
    /// assert!(Task::all().is_empty());
    /// ```
    pub fn all() -> Vec<Self> {
        let mut tasks = Vec::new();
        thread::for_each(|core| {
            // SAFETY: a record is there as long as the block names it, and a spawned one is a task's.
            unsafe {
                if let Some(record) = NonNull::new(core.record.get())
                    && record.cast::<Fiber>().as_ref().is_spawned()
                {
                    tasks.push(Self::new(Counted::of_record(record)));
                }
            }
        });
        tasks.retain(|task| !task.is_finished());
        tasks.sort_by_key(Self::id);
        tasks
    }

    /// What the task waits for, if it waits.
    pub fn waits_for(&self) -> Option<&'static str> {
        let fiber = &self.shared().fiber;
        (fiber.state.get() == FiberState::Parked && self.is_started()).then(|| fiber.waits_on())
    }
}

/// The tasks of this thread that have not ended, each on a line below the one that spawned it, with what
/// it waits for (gevent's `GreenletTree`).
///
/// ```
/// use greenlet::{Greenlet, sleep, spawn, task_tree, yield_now};
/// use std::time::Duration;
///
/// let hour = Duration::from_secs(3600);
/// let parent = Greenlet::builder().name("parent").spawn(move || spawn(move || sleep(hour)).wait(None));
/// yield_now();
/// let tree = task_tree();
/// let lines: Vec<&str> = tree.lines().collect();
/// assert!(lines[0].ends_with(" \"parent\": the end of a task"));
/// assert!(lines[1].starts_with("  ") && lines[1].ends_with(": not started"));
/// # drop(parent);
/// ```
pub fn task_tree() -> String {
    let tasks = Task::all();
    let ids: Vec<u64> = tasks.iter().map(Task::id).collect();
    let mut children: BTreeMap<Option<u64>, Vec<Task>> = BTreeMap::new();
    for task in tasks {
        // Those whose spawner is no task, or not any more, are at the top.
        let spawner = Some(task.spawner()).filter(|id| ids.binary_search(id).is_ok());
        children.entry(spawner).or_default().push(task);
    }
    let mut text = String::new();
    // Those to come, the next one last: a chain of spawners may be longer than this stack is deep.
    let mut rest: Vec<(usize, Task)> = Vec::new();
    let push = |rest: &mut Vec<_>, depth, tasks: Option<Vec<Task>>| {
        rest.extend(tasks.into_iter().flatten().rev().map(|task| (depth, task)));
    };
    push(&mut rest, 0, children.remove(&None));
    while let Some((depth, task)) = rest.pop() {
        let name = task.name().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let _ =
            writeln!(text, "{:indent$}task {}{name}: {}", "", task.id(), task.doing(), indent = 2 * depth);
        push(&mut rest, depth + 1, children.remove(&Some(task.id())));
    }
    text
}

impl Task {
    fn doing(&self) -> &'static str {
        match self.waits_for() {
            Some(what) => what,
            None if !self.is_started() => "not started",
            None => "ready or running",
        }
    }
}
