//! However a program is linked, libc's functions are taken over in it, or it says what is not. `.ci/links` builds
//! this in many ways.

#[cfg(target_os = "linux")]
fn main() -> Result<(), greenlet_monkey::Unsupported> {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::thread;
    use std::time::{Duration, Instant};

    use greenlet_monkey::{Part, Patch, counts, is_patched, patch_all, patched_symbols};

    if cfg!(target_feature = "crt-static") {
        let error = patch_all().expect_err("a static program cannot ask libc for names from elsewhere");
        println!("patch_all: {error}");
        assert_eq!(patched_symbols().count(), 0, "and nothing has changed");
        Patch::all().names(false).apply()?;
        assert!(!is_patched(Part::Names));
    } else {
        patch_all()?;
    }
    for name in patched_symbols() {
        print!("{name} ");
    }
    println!();

    let (asleep, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let start = Instant::now();
    let sleepers: Vec<_> = (0..10)
        .map(|_| {
            let (asleep, most) = (asleep.clone(), most.clone());
            greenlet::spawn(move || {
                asleep.set(asleep.get() + 1);
                most.set(most.get().max(asleep.get()));
                thread::sleep(Duration::from_millis(100));
                asleep.set(asleep.get() - 1);
            })
        })
        .collect();
    greenlet::join_all(&sleepers, None);
    println!("ten sleeps of 100 ms in {:.0?}, {} at the same time", start.elapsed(), most.get());
    assert_eq!((most.get(), counts(Part::Time).parked), (10, 10));
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    assert!(greenlet_monkey::patch_all().is_err());
}
