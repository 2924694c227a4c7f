//! The row of `test_version.py`.

use std::fs;
use std::path::Path;

// test_version.py::VersionTests::test_version
#[test]
fn the_changelog_has_a_section_for_this_version() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("CHANGELOG.md");
    let wanted = concat!("## ", env!("CARGO_PKG_VERSION"));
    let changes = fs::read_to_string(path).unwrap();
    let is_wanted = |line: &str| line.strip_prefix(wanted).is_some_and(|rest| !rest.starts_with(['.', '-']));
    assert!(changes.lines().any(is_wanted), "no line starts with {wanted}");
}
