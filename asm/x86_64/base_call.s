// The second part of a base frame: calls the entry, and takes what it returns when the owner has ended.
//
//   in    rdi = word   rsi = kind   r8 = see base_entered.s
//         rsp = where to go on from here, in the picture of base.s
//   out   rdi = word   rsi = kind     (the message for whoever continues)
//         rcx = where that is suspended
//
// The call is matched by its return: one that is not would leave the return-stack predictor off by
// one for good.

    mov rdx, [rbp - 8]
    mov rcx, rsp
    call [rbp - 16]
    mov rdi, rax
    mov rsi, rdx
    mov rcx, [rsp]
