// The second part of a base frame: calls the entry, and takes what it returns when the owner has ended.
//
//   in    x0 = word   x1 = kind   x4 = see base_entered.s
//         sp = where to go on from here, in the picture of base.s
//   out   x0 = word   x1 = kind     (the message for whoever continues)
//         x3 = where that is suspended
//
// The call is matched by its return.

    ldr x2, [x29, #-16]
    mov x3, sp
    ldr x5, [x29, #-8]
    blr x5
    ldr x3, [sp]
