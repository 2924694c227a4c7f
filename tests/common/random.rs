//! How many random programs a test runs, and which.

use proptest::test_runner::{Config, RngSeed};

/// The same programs each time, for a change that lands is not to fail by what another one broke.
/// `PROPTEST_RNG_SEED` asks for others, and `PROPTEST_CASES` for more of them:
///
/// ```sh
/// PROPTEST_RNG_SEED=$RANDOM PROPTEST_CASES=100000 cargo test --release --test model
/// ```
pub fn config(cases_in_debug: u32, cases_in_release: u32) -> Config {
    let cases = if cfg!(debug_assertions) { cases_in_debug } else { cases_in_release };
    let asked_for = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Config::with_cases(asked_for.unwrap_or(cases));
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        asked_for => asked_for,
    };
    Config { failure_persistence: None, rng_seed, ..config }
}
