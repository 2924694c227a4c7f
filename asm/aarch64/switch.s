// Switch to another stack, inlined into the caller.
//
//   in    x0 = word      x1 = kind      (the message for the target)
//         x2 = where to save this stack pointer
//         x3 = where the target's stack pointer is saved
//   out   x0 = word      x1 = kind      (the message of whoever comes back)
//
// A suspended stack, which every routine in this folder writes and reads alike:
//
//          |  frames of the suspended function  |
//   +32 -> +------------------------------------+  16-byte aligned
//   +24    |  (padding)                         |
//   +16    |  x19                               |  restored by the side that lands
//    +8    |  pc: where to land                 |  \  together a frame record, so a
//   sp ->  |  x29                               |  /  frame-pointer walk finds it
//          +------------------------------------+
//
// Every other callee-saved register, d8 to d15 among them, is declared clobbered by the
// Rust side, so the compiler spills those that are live and no others. x19 and x29 are
// saved here because LLVM does not let inline assembly clobber them.
//
// x16 carries the landing address: a branch through it is accepted by both kinds of
// branch-target landing pad.
//
// The stack pointer is saved first, because the caller has just written beside it.

    sub sp, sp, #32
    mov x16, sp
    str x16, [x2]
    adr x30, 2f
    stp x29, x30, [sp]
    str x19, [sp, #16]
    ldr x3, [x3]
    mov sp, x3
    ldp x29, x16, [sp]
    br x16
2:
    hint #36 // bti j
    ldr x19, [sp, #16]
    add sp, sp, #32
