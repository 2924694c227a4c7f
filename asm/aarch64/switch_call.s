// Switch to another stack, call a function there, and resume the target with what the
// function returns. The caller is suspended before the call, so the function may free it,
// unlock for it or switch back to it. It stands between save_registers.s (and, where the target has
// thread-local storage of its own, load_thread_base.s) and restore_registers.s.
//
//   in    x0 = where to save this stack pointer   x1 = the target's stack pointer
//         x2 = word                               x3 = kind
//         x4 = function: (word, kind) -> (word, kind), must not unwind
//   out   x0 = word                               x1 = kind
//
// While the function runs, its
// frames lie right under the target's four words.

    .cfi_remember_state
    adr x17, 2f
    stp x29, x17, [sp, #-32]!
    .cfi_adjust_cfa_offset 32
    str x19, [sp, #16]
    mov x16, sp
    str x16, [x0]
    mov sp, x1
    // From here to the jump a backtrace shows the target's frames: the caller of this
    // code is whatever the four words describe.
    .cfi_def_cfa sp, 32
    .cfi_offset x19, -16
    .cfi_offset x30, -24
    .cfi_offset x29, -32
    .cfi_undefined x20
    .cfi_undefined x21
    .cfi_undefined x22
    .cfi_undefined x23
    .cfi_undefined x24
    .cfi_undefined x25
    .cfi_undefined x26
    .cfi_undefined x27
    .cfi_undefined x28
    .cfi_undefined d8
    .cfi_undefined d9
    .cfi_undefined d10
    .cfi_undefined d11
    .cfi_undefined d12
    .cfi_undefined d13
    .cfi_undefined d14
    .cfi_undefined d15
    mov x0, x2
    mov x1, x3
    mov x29, sp
    blr x4
    ldp x29, x16, [sp]
    br x16
    .cfi_restore_state
