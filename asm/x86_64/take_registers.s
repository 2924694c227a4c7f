// Takes what save_registers.s saved, but its padding.

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
