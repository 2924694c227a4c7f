// Enter another stack as enter.s does, but with a message of any kind but 0, as an ordinary function. It stands
// between save_registers.s and take_registers.s.
//
//   in    rdi = word     rsi = kind     (the message for the target)
//         rdx = the target's saved stack pointer
//   out   rax = word                    (the message of the target)
//         rdx = the target's new stack pointer; if it has ended, the kind of the message
//
// It enters from an even multiple of 8, which tells the target to look for the kind:
//
//          |  what save_registers.s saved       |
//   +32 -> +------------------------------------+  16-byte aligned
//   +24    |  (padding)                         |
//   +16    |  rbx                               |  \
//    +8    |  rip: after the `call`             |   | the suspended layout of switch.s
//   sp ->  |  rbp                               |  /  16-byte aligned
//          +------------------------------------+
//
// Whoever unwinds the target through its base frame arrives here with the stack pointer just above the three
// words. So rbx is not told of, and neither is it where enter.s is inlined.

    sub rsp, 8
    .cfi_adjust_cfa_offset 8
    push rbx
    call [rdx + 8]
    pop rbx
    mov rax, rdi
    test rdx, rdx
    cmovz rdx, rsi
    add rsp, 16
    .cfi_adjust_cfa_offset -16
