// The end of a switch that is a function of its own: where it lands, with the stack pointer at
// the suspended layout (see switch.s). Takes what save_registers.s saved, and returns the message
// by a jump, because the `call` that came here is long out of the predictor's sight. The place after
// a `call` is no landing pad, so the jump says that it needs none.

    nop // never run: for the place of a call, unwinders look up the byte before
2:
    endbr64
    .cfi_def_cfa_offset 72
    mov rbx, [rsp + 16]
    mov rax, rdi
    mov rdx, rsi
    add rsp, 32
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
    notrack jmp rcx
    .cfi_endproc
