// Return to who has entered this stack by enter.s, inlined into the caller.
//
//   in    rdi = word     rsi = kind     (the message for the target)
//         rcx = where the target is suspended
//   out   rdi = word     rsi = kind     (the message of whoever enters next)
//         rdx = where that one is suspended
//
// Where the next one lands it still stands on its own stack, and its layout lacks rbp.

    push rbx
    lea rax, [rip + 2f]
    push rax
    push rbp
    mov rdx, rsp
    mov rsp, rcx
    pop rbp
    ret
2:
    endbr64
    push rbp
    mov rdx, rsp
    mov rbp, [rcx]
    mov rbx, [rcx + 16]
    lea rsp, [rcx + 24]
