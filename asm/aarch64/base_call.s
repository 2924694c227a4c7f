// The second part of a base frame: calls the entry, and takes what it returns when the owner has ended.
//
//   in    x0 = word   x1 = kind   x3 = see base_entered.s
//   out   x0 = word   x1 = kind     (the message for whoever continues)
//         x3 = where that is suspended
//
// The entry returns a word, and the kind in the three bits of that place that are zero: two registers
// are all that a function can return. The call is matched by its return.

    ldr x2, [x29, #-16]
    ldr x4, [x29, #-8]
    blr x4
    and x3, x1, #-8
    and x1, x1, #7
