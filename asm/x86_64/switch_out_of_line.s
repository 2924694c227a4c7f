// Switch to another stack, as an ordinary function: for cold paths and callers that
// cannot inline. It pushes what the inlined form leaves to the compiler, and then
// suspends in the same layout (see switch.s).
//
//   in    rdi = where to save this stack pointer   rsi = the target's stack pointer
//         rdx = word                               rcx = kind
//   out   rax = word                               rdx = kind
//
//          |  return address                    |  <- rsp on entry
//          |  r15, r14, r13, r12, padding       |
//   +24 -> +------------------------------------+  16-byte aligned
//   sp ->  |  rbx, rip = label 2, rbp           |
//          +------------------------------------+

    .cfi_startproc
    endbr64
    push r15
    .cfi_def_cfa_offset 16
    .cfi_offset r15, -16
    push r14
    .cfi_def_cfa_offset 24
    .cfi_offset r14, -24
    push r13
    .cfi_def_cfa_offset 32
    .cfi_offset r13, -32
    push r12
    .cfi_def_cfa_offset 40
    .cfi_offset r12, -40
    sub rsp, 8
    .cfi_def_cfa_offset 48
    push rbx
    .cfi_adjust_cfa_offset 8
    lea rax, [rip + 2f]
    push rax
    .cfi_adjust_cfa_offset 8
    push rbp
    .cfi_adjust_cfa_offset 8
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
2:
    endbr64
    pop rbx
    mov rax, rdi
    mov rdx, rsi
    add rsp, 8
    .cfi_def_cfa_offset 40
    pop r12
    .cfi_def_cfa_offset 32
    .cfi_restore r12
    pop r13
    .cfi_def_cfa_offset 24
    .cfi_restore r13
    pop r14
    .cfi_def_cfa_offset 16
    .cfi_restore r14
    pop r15
    .cfi_def_cfa_offset 8
    .cfi_restore r15
    pop rcx
    .cfi_def_cfa_offset 0
    .cfi_register rip, rcx
    jmp rcx
    .cfi_endproc
