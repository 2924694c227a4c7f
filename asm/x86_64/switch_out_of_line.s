// Switch to another stack, as an ordinary function: for cold paths and callers that
// cannot inline. It stands between suspend.s and restore_registers.s.
//
//   in    rdi = where to save this stack pointer   rsi = the target's stack pointer
//         rdx = word                               rcx = kind
//   out   rax = word                               rdx = kind

    mov [rdi], rsp
    mov rsp, rsi
    mov rdi, rdx
    mov rsi, rcx
    mov rbp, [rsp]
    jmp [rsp + 8]
    // Whoever unwinds a suspended stack arrives at the `nop` that follows or, through its base frame, at
    // the landing pad, in either case with the stack pointer just above the three words.
    .cfi_adjust_cfa_offset -24
