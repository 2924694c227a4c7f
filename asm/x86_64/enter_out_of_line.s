// Enter another stack as enter.s does, but with a message of any kind but 0, by an ordinary function.
//
//   in    rdi = word     rsi = kind     (the message for the target)
//         rdx = the target's saved stack pointer
//   out   rax = word                    (the message of the target)
//         rdx = the target's new stack pointer; if it has ended, the kind of the message
//
// It enters from an even multiple of 8, which tells the target to look for the kind:
//
//          |  return address                    |  <- rsp on entry
//          |  r15, r14, r13, r12                |  <- rsp on entry - 32
//   +16    |  rbx                               |  \
//    +8    |  rip: after the `call`             |   | the suspended layout of switch.s
//   sp ->  |  rbp                               |  /  16-byte aligned
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
    // Whoever unwinds the target through its base frame arrives here with the stack pointer just above the three
    // words. So rbx is not told of, and neither is it where enter.s is inlined.
    push rbx
    call [rdx + 8]
    pop rbx
    mov rax, rdi
    test rdx, rdx
    cmovz rdx, rsi
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
    ret
    .cfi_endproc
