//! Many greenlets at once.

use std::time::Duration;

use crate::{is_emulated, isolated, stderr};

#[test]
fn a_hundred_thousand_tasks_sleep_at_once_in_a_few_mappings() {
    let output = isolated("scale::a_hundred_thousand_tasks_sleep_at_once_in_a_few_mappings", || {
        // An emulator makes guard pages by mappings, of which the default limit allows 65530; and
        // a sanitizer may have a mapping of its own for each stack.
        let by_mapping = is_emulated() || cfg!(greenlet_sanitizer);
        let count = if by_mapping { 5_000 } else { 100_000 };
        let before = mappings();
        let tasks: Vec<_> =
            (0..count).map(|_| greenlet::spawn(|| greenlet::sleep(Duration::from_secs(3600)))).collect();
        greenlet::yield_now();
        let made = mappings() - before;
        assert!(by_mapping || made < 100, "{made} mappings");
        assert!(tasks.iter().all(|task| !task.is_finished()));
        tasks.iter().for_each(|task| task.kill().unwrap());
        assert_eq!(greenlet::join_all(&tasks, None).len(), count);
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count())
}
