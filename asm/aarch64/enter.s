// Enter another stack by a call, which it answers by a return, inlined into the caller.
//
//   in    x0 = word      x1 = kind      (the message for the target)
//         x2 = the target's saved stack pointer
//   out   x0 = word                     (the message of the target, of kind 0)
//         x2 = the target's new stack pointer; 0 if it has ended, and then x1 = kind
//
// For two that always answer each other. They need nobody to save their stack pointers: each gets that
// of the other in a register, and both are suspended in the layout of switch.s. The call leaves where to
// land in x30, and the target, which was left by leave.s, stores that and x29.
//
// A return is predicted from the calls before it, and here it answers the call.

    sub sp, sp, #32
    str x19, [sp, #16]
    ldr x16, [x2, #8]
    blr x16
    ldr x19, [sp, #16]
    add sp, sp, #32
