// Call a function that finds the thread-local variables of another block, and come back to those of
// the caller's.
//
//   in    rdi = the function   rsi = its argument   rdx = the block
//
// The function must neither unwind nor switch.

    .cfi_startproc
    endbr64
    push rbx
    .cfi_adjust_cfa_offset 8
    .cfi_offset rbx, -16
    rdfsbase rbx
    wrfsbase rdx
    mov rax, rdi
    mov rdi, rsi
    call rax
    wrfsbase rbx
    pop rbx
    .cfi_adjust_cfa_offset -8
    ret
    .cfi_endproc
