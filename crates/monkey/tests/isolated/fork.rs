//! Children that are forked by hand.

use std::io::Read;
use std::thread;
use std::time::Duration;

use greenlet::{join_all, spawn};

/// Forks; what the child does, and how it ended.
fn child(body: fn()) -> i32 {
    match unsafe { libc::fork() } {
        0 => {
            body();
            unsafe { libc::_exit(7) }
        }
        pid => {
            let mut status = 0;
            assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
            libc::WEXITSTATUS(status)
        }
    }
}

#[test]
fn a_child_blocks_until_it_has_a_hub_of_its_own() {
    super::isolated("fork::a_child_blocks_until_it_has_a_hub_of_its_own", || {
        greenlet_monkey::patch_all().unwrap();
        let sleeper = spawn(|| thread::sleep(Duration::from_secs(3600)));
        thread::yield_now();
        let status = spawn(|| {
            child(|| {
                // Neither runs the parent's greenlets nor polls in its place.
                thread::sleep(Duration::from_millis(2));
                let (mut reader, writer) = std::io::pipe().unwrap();
                drop(writer);
                assert_eq!(reader.read(&mut [0]).unwrap(), 0);
            })
        });
        assert_eq!(status.join().unwrap(), 7);
        assert!(!sleeper.is_finished());
    });
}

#[test]
fn a_child_that_starts_over_has_greenlets_again() {
    super::isolated("fork::a_child_that_starts_over_has_greenlets_again", || {
        greenlet_monkey::patch_all().unwrap();
        let _sleeper = spawn(|| thread::sleep(Duration::from_secs(3600)));
        thread::yield_now();
        let status = child(|| {
            greenlet::hub::after_fork().unwrap();
            let tasks = [(); 3].map(|()| spawn(|| thread::sleep(Duration::from_millis(5))));
            thread::sleep(Duration::from_millis(1));
            assert!(tasks.iter().all(|task| !task.is_finished()));
            join_all(&tasks, None);
        });
        assert_eq!(status, 7);
    });
}
