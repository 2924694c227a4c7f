//! The row of `test_generator.py`.

use crate::generator::{Generator, emit};

// test_generator.py::GeneratorTests::test_generator
#[test]
fn a_function_that_switches_to_its_parent_for_each_value_is_an_iterator() {
    for _ in 0..3 {
        let squares = Generator::<u32>::new(|| {
            for n in 0..5_u32 {
                emit(n * n);
            }
        });
        assert_eq!(squares.collect::<Vec<_>>(), [0, 1, 4, 9, 16]);
    }
}
