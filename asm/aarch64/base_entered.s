// Where the base frame of a stack that is entered goes on: it was called by enter.s.
//
//   in    x3 = this stack's pointer, as base.s has it     sp = the caller's
//   out   x3 = where the caller is suspended, for the entry

    stp x29, x30, [sp]
    mov x4, sp
    ldr x29, [x3]
    mov sp, x3
    mov x3, x4
