// Continue another stack and never come back: the way out of a greenlet that has ended.
//
//   in    rdi = word     rsi = kind     (the message for the target)
//         rcx = the target's saved stack pointer
//
// The second half of switch.s; nothing of this stack is kept. It also ends base.s.

    mov rsp, rcx
    mov rbp, [rsp]
    jmp [rsp + 8]
