// Return to who has entered this stack by enter.s, inlined into the caller.
//
//   in    x0 = word                     (the message for the target, of kind 0)
//         x3 = where the target is suspended
//   out   x0 = word      x1 = kind      (the message of whoever enters next)
//         x3 = where that one is suspended
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
    mov x3, sp
    ldr x29, [x2]
    ldr x19, [x2, #16]
    add sp, x2, #32
