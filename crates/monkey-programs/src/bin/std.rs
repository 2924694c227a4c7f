//! std as it is: ten children whose output is waited for, and a thousand sleeps, at the same time on one OS thread.

use std::error::Error;
use std::process::Command;
use std::thread;
use std::time::Duration;

use monkey_programs::AtOnce;

fn main() -> Result<(), Box<dyn Error>> {
    greenlet_monkey::patch_all()?;
    let run = |_: &mut ()| {
        let output =
            Command::new("sh").args(["-c", "sleep 0.05; echo done"]).output().expect("there is a shell");
        assert_eq!(output.stdout, b"done\n");
    };
    println!("std: children that take 50 ms: {}", AtOnce::run(10, |_| (), run));
    let sleep = |_: &mut ()| thread::sleep(Duration::from_millis(50));
    println!("std: sleeps of 50 ms: {}", AtOnce::run(1000, |_| (), sleep));
    Ok(())
}
