// Continue another stack and never come back: the way out of a greenlet that has ended.
//
//   in    x0 = word      x1 = kind      (the message for the target)
//         x3 = the target's saved stack pointer
//
// The second half of switch.s; nothing of this stack is kept. It also ends base.s.

    mov sp, x3
    ldp x29, x16, [sp]
    br x16
