// The second part of a base frame: calls the entry, and takes what it returns when the owner has ended.
//
//   in    rdi = word   rsi = kind   rcx = see base_entered.s
//   out   rdi = word   rsi = kind     (the message for whoever continues)
//         rcx = where that is suspended
//
// The entry returns a word, and the kind in the three bits of that place that are zero: two registers
// are all that a function can return. The call is matched by its return: one that is not would leave
// the return-stack predictor off by one for good.

    mov rdx, [rbp - 8]
    call [rbp - 16]
    mov rdi, rax
    mov rcx, rdx
    and rcx, -8
    mov esi, edx
    and esi, 7
