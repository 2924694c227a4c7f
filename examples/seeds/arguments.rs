//! What a program is told on its command line.

/// The arguments; or, if there are none, these.
pub(crate) fn or<const N: usize>(defaults: [&str; N]) -> Vec<String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() { defaults.map(String::from).into() } else { arguments }
}
