// Call a function that finds the thread-local variables of another block, and come back to those of
// the caller's.
//
//   in    x0 = the function   x1 = its argument   x2 = the thread base of the block
//
// The function must neither unwind nor switch.

    .cfi_startproc
    hint #34 // bti c
    stp x29, x30, [sp, #-32]!
    .cfi_def_cfa_offset 32
    .cfi_offset x29, -32
    .cfi_offset x30, -24
    str x19, [sp, #16]
    .cfi_offset x19, -16
    mov x29, sp
    mrs x19, tpidr_el0
    msr tpidr_el0, x2
    mov x3, x0
    mov x0, x1
    blr x3
    msr tpidr_el0, x19
    ldr x19, [sp, #16]
    .cfi_restore x19
    ldp x29, x30, [sp], #32
    .cfi_restore x29
    .cfi_restore x30
    .cfi_def_cfa_offset 0
    ret
    .cfi_endproc
