//! What gdb shows of greenlets. Where there is no gdb that may run programs, nothing is tested.

use std::io::Write;
use std::process::{Command, Stdio};

/// What gdb says where the program stops, or `None` if it cannot be asked.
fn gdb(scene: &str, commands: &[&str]) -> Option<String> {
    let run = format!("run {scene}");
    let before = ["set width 0", "set debuginfod enabled off", "set disable-randomization off"];
    let before = before.into_iter().chain(["break stop_here", &run]);
    let mut command = Command::new("gdb");
    command.args(["--batch", "-nx"]);
    for step in before.chain(commands.iter().copied()) {
        command.args(["-ex", step]);
    }
    command.arg(env!("CARGO_BIN_EXE_main_thread")).stdin(Stdio::null());
    // Not by `eprintln`, which is heard only when a test fails.
    ask(&mut command).inspect_err(|why| drop(writeln!(std::io::stderr(), "NOT TESTED with gdb: {why}"))).ok()
}

fn ask(gdb: &mut Command) -> Result<String, &'static str> {
    if std::env::var_os("CROSS_RUNNER").is_some() {
        return Err("the program is for another machine");
    }
    let output = gdb.output().map_err(|_| "it is not installed")?;
    let [said, complained] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let refusals = ["ptrace: ", "Couldn't get registers", "Cannot create process"];
    if refusals.into_iter().any(|refusal| complained.contains(refusal)) {
        return Err("it may not run programs here");
    }
    Ok(said + &complained)
}

/// The program's own functions that a backtrace passes through.
fn functions(said: &str) -> Vec<&str> {
    said.lines().filter_map(own_function).filter(|name| *name != "stop_here").collect()
}

/// Of `#1  0x0123 in main_thread::name (argument=1) at file:2`, where the address may be missing and a
/// hash may follow the name.
fn own_function(line: &str) -> Option<&str> {
    let frame = line.strip_prefix('#')?.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    let function = if frame.starts_with("0x") { frame.split_once(" in ")?.1 } else { frame };
    let path = function.strip_prefix("main_thread::")?;
    let (name, rest) = path.split_at(path.find([' ', ':'])?);
    let is_closure = rest.starts_with("::{");
    (!is_closure).then_some(name)
}

#[test]
fn a_backtrace_goes_through_the_stacks_of_all_ancestors_to_main() {
    let Some(said) = gdb("nested", &["backtrace"]) else { return };
    assert_eq!(functions(&said), ["in_inner", "in_outer", "in_main", "main"], "{said}");
}

#[test]
fn a_backtrace_goes_to_the_parent_and_not_to_whoever_started_the_greenlet() {
    let Some(said) = gdb("adopted", &["backtrace"]) else { return };
    assert_eq!(functions(&said), ["in_inner", "wait", "adopted", "main"], "{said}");
}

#[test]
fn a_backtrace_ends_at_a_parent_that_is_dead() {
    let Some(said) = gdb("orphaned", &["backtrace"]) else { return };
    assert_eq!(functions(&said), ["in_inner"], "{said}");
    let beyond: Vec<_> =
        said.lines().filter(|line| line.starts_with('#') && line.contains(" in ?? ")).collect();
    assert!(beyond.iter().all(|frame| frame.contains("0x0000000000000000 ")) && beyond.len() <= 2, "{said}");
}

const HELPER: &str = concat!("source ", env!("CARGO_MANIFEST_DIR"), "/../../docs/gdb/greenlets.py");

/// Whether this build has the debug information that the helper needs.
fn helper_works() -> bool {
    cfg!(debug_assertions)
}

#[test]
fn the_helper_lists_the_greenlets_with_their_states_and_where_they_are() {
    if !helper_works() {
        return;
    }
    let Some(said) = gdb("waiting", &[HELPER, "greenlets"]) else { return };
    let listed = said.lines().filter_map(|line| line.split_once(" at ")).map(|(line, _)| line);
    let listed: Vec<_> = listed.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "0 suspended (root) main_thread::in_main",
        "1 suspended reader main_thread::wait",
        "2 suspended writer main_thread::wait",
        "4 suspended outer main_thread::in_outer",
        "* 5 running inner main_thread::stop_here",
    ] {
        assert!(listed.iter().any(|listed| listed == line), "{line}\n{said}");
    }
    assert!(said.contains("3    unstarted unstarted"), "{said}");
}

#[test]
fn the_helper_shows_a_suspended_greenlet_and_leaves_all_as_it_was() {
    if !helper_works() {
        return;
    }
    let Some(said) = gdb("waiting", &[HELPER, "greenlet 2", "backtrace"]) else { return };
    let (own, running) = said.split_once("(the parent is greenlet 0)").unwrap_or_else(|| panic!("{said}"));
    assert_eq!(functions(own), ["wait"], "{said}");
    assert_eq!(functions(running), ["in_inner", "in_outer", "in_main", "waiting", "main"], "{said}");
}
