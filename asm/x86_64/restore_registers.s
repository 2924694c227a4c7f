// The end of a switch that is a function of its own: where it lands, with the stack pointer at
// the suspended layout (see switch.s). take_registers.s and return_by_jump.s follow.

    nop // never run: for the place of a call, unwinders look up the byte before
2:
    endbr64
    .cfi_def_cfa_offset 72
    mov rbx, [rsp + 16]
    mov rax, rdi
    mov rdx, rsi
    add rsp, 32
    .cfi_def_cfa_offset 40
