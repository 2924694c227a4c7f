// Enter another stack by a call, which it answers by a return, inlined into the caller.
//
//   in    rdi = word     rsi = kind     (the message for the target)
//         rcx = the target's saved stack pointer
//   out   rdi = word     rsi = kind     (the message of the target)
//         rdx = the target's new stack pointer; 0 if it has ended
//
// For two that always answer each other. They need nobody to save their stack pointers: each gets that
// of the other in a register, and both are suspended in the layout of switch.s. The call pushes where to
// land, and the target, which was left by leave.s, pushes rbp.
//
// A return is predicted from the calls before it, and here it answers the call. Pushes and pops were
// measured to be better than moves beside those two, other than in switch.s.

    push rbx
    call [rcx + 8]
    pop rbx
