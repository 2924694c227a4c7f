// The end of a switch that is a function of its own: where it lands, with the stack pointer at
// the suspended layout (see switch.s). Takes what save_registers.s saved, and returns the message.
// The place after a `bl` is no landing pad, so a `br`, which the return predictor would not mind, is
// not allowed here.

    nop // never run: for the place of a call, unwinders look up the byte before
2:
    hint #36 // bti j
    ldr x19, [sp, #16]
    add sp, sp, #32
    ldp d8, d9, [sp, #16]
    ldp d10, d11, [sp, #32]
    ldp d12, d13, [sp, #48]
    ldp d14, d15, [sp, #64]
    ldp x20, x21, [sp, #80]
    ldp x22, x23, [sp, #96]
    ldp x24, x25, [sp, #112]
    ldp x26, x27, [sp, #128]
    ldp x28, x16, [sp, #144]
    add sp, sp, #160
    .cfi_def_cfa_offset 0
    .cfi_register x30, x16
    ret x16
    .cfi_endproc
