//! Programs of tasks: starting and joining, time, and what tasks wait for each other with.

use std::collections::HashSet;

use crate::output;

#[path = "../../examples/seeds/async_result.rs"]
mod async_result;
#[path = "../../examples/seeds/choice_of_hub.rs"]
mod choice_of_hub;
#[path = "../../examples/seeds/event.rs"]
mod event;
#[path = "../../examples/seeds/join_all.rs"]
mod join_all;
#[path = "../../examples/seeds/local.rs"]
mod local;
#[path = "../../examples/seeds/one_thread.rs"]
mod one_thread;
#[path = "../../examples/seeds/semaphore.rs"]
mod semaphore;
#[path = "../../examples/seeds/send_once.rs"]
mod send_once;
#[path = "../../examples/seeds/sleeps.rs"]
mod sleeps;
#[path = "../../examples/seeds/three_consumers.rs"]
mod three_consumers;
#[path = "../../examples/seeds/timeouts.rs"]
mod timeouts;
#[path = "../../examples/seeds/win_and_fail.rs"]
mod win_and_fail;

#[test]
fn joined_tasks_take_turns() {
    assert_eq!(output(join_all::main), "12\n56\n34\n78\n");
}

#[test]
fn a_task_tells_how_it_ended() {
    let expected = "started: false false\n\
        started: true true\n\
        ready: true true\n\
        value: Some(\"You win!\") None\n\
        successful: true false\n\
        the task panicked: You failed!\n";
    assert_eq!(output(win_and_fail::main), expected);
}

#[test]
fn a_timeout_is_started_or_has_a_scope_or_an_error_of_its_own() {
    assert_eq!(output(timeouts::main), "Could not complete\ntimed out\nErr(TooLong)\n");
}

#[test]
fn five_wait_for_an_event() {
    let waiters = "I'll wait for you\n".repeat(5);
    let expected = format!("Wait for me\n{waiters}Ok, I'm done\n{}", "Finish waiting\n".repeat(5));
    assert_eq!(output(event::main), expected);
}

#[test]
fn five_wait_for_a_message() {
    let waiters = "I'll wait for you\n".repeat(5);
    let woken = "Got wake up message: Hello!\n".repeat(5);
    assert_eq!(output(async_result::main), format!("Wait for me\n{waiters}Ok, I'm done\n{woken}"));
}

#[test]
fn three_consumers_share_a_queue() {
    let products = (1..10).zip(["steve", "john", "nancy"].into_iter().cycle());
    let expected: String =
        products.map(|(product, name)| format!("{name} got product {product}\n")).collect();
    assert_eq!(output(three_consumers::main), expected + "Quit\nQuit\nQuit\n");
}

#[test]
fn six_workers_share_two_permits() {
    let pairs = [[0, 1], [2, 3], [4, 5]].map(|pair| {
        let lines = |what| pair.map(|n| format!("Worker {n} {what} semaphore\n")).concat();
        lines("acquired") + &lines("released")
    });
    assert_eq!(output(semaphore::main), pairs.concat());
}

#[test]
fn what_is_local_to_one_the_other_does_not_see() {
    assert_eq!(output(local::main), "1\nx is not visible\n");
}

#[test]
fn two_sleeps_at_once_take_as_long_as_the_longer_one() {
    let expected = "Running in foo\n\
        Explicit context to bar\n\
        Implicit context to switch back to bar\n\
        Explicit context switch to foo again\n";
    let output = output(sleeps::main);
    // How late it is depends on who else uses this machine.
    let took = output.strip_prefix(expected).expect(&output);
    assert!(took.starts_with("about "), "{took}");
}

#[test]
fn tasks_share_a_process_and_a_thread() {
    let output = output(one_thread::main);
    let (shown, said): (Vec<_>, Vec<_>) = output.lines().partition(|line| line.contains(" - "));
    assert_eq!(
        said,
        [
            "Running in foo",
            "Explicit context to bar",
            "Explicit context switch to foo again",
            "Implicit context switch back to bar",
        ]
    );
    assert!(shown[0].contains("\"foo\"") && shown[1].contains("\"bar\""), "{shown:?}");
    let places: HashSet<_> = shown.iter().map(|line| line.split_once(" - ").unwrap().1).collect();
    let here = format!("process {} - {:?}", std::process::id(), std::thread::current().id());
    assert_eq!(places, HashSet::from([here.as_str()]));
}

#[test]
fn an_event_is_sent_once() {
    let expected = "the answer is 4\n\
        about to wait\n\
        ready: false\n\
        ready: true\n\
        waited for a\n\
        refused: Err(\"whoops\")\n\
        failed: out of order\n\
        failed: out of order\n";
    assert_eq!(output(send_once::main), expected);
}

#[test]
fn each_thread_chooses_its_hub() {
    let line = |name| format!("waits with {name}; this thread's hub has started already\n");
    assert_eq!(output(choice_of_hub::main), line("system") + &line("poll"));
}
