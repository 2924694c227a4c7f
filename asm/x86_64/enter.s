// Enter another stack by a call, which it answers by a return, inlined into the caller.
//
//   in    rdi = word     (the message for the target, of kind 0)
//         rdx = the target's saved stack pointer
//   out   rdi = word     (the message of the target, of kind 0)
//         rdx = the target's new stack pointer; 0 if it has ended, and then rsi = kind
//
// For two that always answer each other. They need nobody to save their stack pointers: each gets that
// of the other in a register, and both are suspended in the layout of switch.s. The call pushes where to
// land, and the target, which was left by leave.s, pushes rbp.
//
// Kind 0 goes without saying: what is entered so is entered from an odd multiple of 8, because the compiler
// keeps rsp at a multiple of 16 here. A message of another kind comes by enter_out_of_line.s.
//
// A return is predicted from the calls before it, and here it answers the call. Pushes and pops were
// measured to be better than moves beside those two, other than in switch.s.

    push rbx
    call [rdx + 8]
    pop rbx
