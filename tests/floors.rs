//! The rooms of `src/` are built on one another in one order, and import downwards only.

use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. A room may use those before it, and nobody else.
const ROOMS: &[&str] = &[
    "random", "places", "lock", "report", "spin", "time", "arch", "stack", "tls", "greenlet", "hub",
    "threads", "timeout", "task", "sync", "queue", "pool", "os", "dns", "fs", "net", "process", "signal",
    "server",
];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The room that a source file is in.
fn room(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_string()
}

/// The rooms that a line of code names by `crate::`.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap();
    // `$crate::` in a macro names what its user sees.
    let own = code.match_indices("crate::").filter(|(at, _)| !code[..*at].ends_with('$'));
    own.map(|(at, prefix)| {
        let rest = &code[at + prefix.len()..];
        let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn rooms_import_only_from_the_rooms_below_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&src, &mut paths);
    let mut uses = 0;
    for path in paths {
        let inside = path.strip_prefix(&src).unwrap();
        let room = room(inside);
        if room == "lib" {
            continue;
        }
        let level = ROOMS.iter().position(|known| *known == room);
        let level = level.unwrap_or_else(|| panic!("{room} has no place in the list of rooms"));
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            for used in named(line).filter(|used| *used != room) {
                uses += 1;
                let place = format!("{}:{}: `crate::{used}`", inside.display(), number + 1);
                let below = ROOMS[..level].contains(&used);
                assert!(below, "{place} is used from {room}, which is not above it");
            }
        }
    }
    assert!(uses > 20, "the sources were read");
}
