// Where the base frame of a stack that is entered goes on: it was called by enter.s.
//
//   in    x0 = word   x1 = kind     x2 = this stack's pointer, as base.s has it     sp = the caller's
//   out   x3 = where the caller is suspended, for the entry

    stp x29, x30, [sp]
    mov x3, sp
    ldr x29, [x2]
    mov sp, x2
