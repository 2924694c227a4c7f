// Return to who has entered this stack, inlined into the caller.
//
//   in    rdi = word     (the message for the target, of kind 0)
//         rcx = where the target is suspended
//   out   rdi = word     (the message of whoever enters next)
//         rcx = where that one is suspended: an odd multiple of 8 if the kind is 0, else an even one,
//         and then rsi = kind
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
    mov rcx, rsp
    mov rbp, [rdx]
    mov rbx, [rdx + 16]
    lea rsp, [rdx + 24]
