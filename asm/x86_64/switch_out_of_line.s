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
    pop rbp
    .cfi_adjust_cfa_offset -8
    pop rax
    .cfi_adjust_cfa_offset -8
    jmp rax
    // Whoever unwinds a suspended stack through its base frame arrives here with the stack
    // pointer just above the three words: the state that holds from `add` on.
    .cfi_adjust_cfa_offset -8
