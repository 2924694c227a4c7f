// Switch to another stack, as an ordinary function: for cold paths and callers that
// cannot inline. It stands between save_registers.s and restore_registers.s, and
// suspends in the same layout (see switch.s).
//
//   in    x0 = where to save this stack pointer   x1 = the target's stack pointer
//         x2 = word                               x3 = kind
//   out   x0 = word                               x1 = kind

    adr x17, 2f
    stp x29, x17, [sp, #-32]!
    .cfi_adjust_cfa_offset 32
    str x19, [sp, #16]
    mov x16, sp
    str x16, [x0]
    mov sp, x1
    mov x0, x2
    mov x1, x3
    ldp x29, x16, [sp]
    br x16
    // Whoever unwinds a suspended stack through its base frame arrives here with the stack
    // pointer just above the four words.
    .cfi_adjust_cfa_offset -32
