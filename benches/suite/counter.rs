//! Tells callgrind where to count instructions.

/// The first of callgrind's own requests.
const BASE: usize = (b'C' as usize) << 24 | (b'T' as usize) << 16;

/// Makes callgrind count, in all threads. Outside of Valgrind it does nothing.
pub fn start() {
    request(&[BASE + 4, 0, 0, 0, 0, 0]);
}

/// Makes callgrind stop counting.
pub fn stop() {
    request(&[BASE + 5, 0, 0, 0, 0, 0]);
}

/// A request is a sequence of instructions that does nothing, and that Valgrind knows.
#[cfg(target_arch = "x86_64")]
fn request(words: &[usize; 6]) {
    // SAFETY: the rotations add up to a whole turn, and Valgrind reads the six words.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") words, inout("rdx") 0_usize => _,
        );
    }
}

/// A request is a sequence of instructions that does nothing, and that Valgrind knows.
#[cfg(target_arch = "aarch64")]
fn request(words: &[usize; 6]) {
    // SAFETY: the rotations add up to a whole turn, and Valgrind reads the six words.
    unsafe {
        std::arch::asm!(
            "ror x12, x12, #3", "ror x12, x12, #13", "ror x12, x12, #51", "ror x12, x12, #61",
            "orr x10, x10, x10",
            in("x4") words, inout("x3") 0_usize => _,
        );
    }
}
