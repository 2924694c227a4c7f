// Return to who has entered this stack by enter.s, inlined into the caller.
//
//   in    x0 = word      x1 = kind      (the message for the target)
//         x3 = where the target is suspended
//   out   x0 = word      x1 = kind      (the message of whoever enters next)
//         x2 = where that one is suspended
//
// Where the next one lands it still stands on its own stack, and its layout lacks the frame record.

    sub sp, sp, #32
    adr x30, 2f
    stp x29, x30, [sp]
    str x19, [sp, #16]
    mov x2, sp
    mov sp, x3
    ldp x29, x30, [sp]
    ret
2:
    hint #34 // bti c
    stp x29, x30, [sp]
    mov x2, sp
    ldr x29, [x3]
    ldr x19, [x3, #16]
    add sp, x3, #32
