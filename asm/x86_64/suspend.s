// The layout that a suspended stack ends in (see switch.s), in a switch that is a function of its own:
// between save_registers.s and the routine that leaves this stack.

    push rbx
    .cfi_adjust_cfa_offset 8
    lea rax, [rip + 2f]
    push rax
    .cfi_adjust_cfa_offset 8
    push rbp
    .cfi_adjust_cfa_offset 8
