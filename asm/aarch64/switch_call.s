// Switch to another stack, call a function there, and resume the target with what the
// function returns. The caller is suspended before the call, so the function may free it,
// unlock for it or switch back to it.
//
//   in    x0 = where to save this stack pointer   x1 = the target's stack pointer
//         x2 = word                               x3 = kind
//         x4 = function: (word, kind) -> (word, kind), must not unwind
//   out   x0 = word                               x1 = kind
//
// The caller's registers lie as in switch_out_of_line.s. While the function runs, its
// frames lie right under the target's four words.

    .cfi_startproc
    hint #34 // bti c
    sub sp, sp, #160
    .cfi_def_cfa_offset 160
    stp d8, d9, [sp, #16]
    .cfi_offset d8, -144
    .cfi_offset d9, -136
    stp d10, d11, [sp, #32]
    .cfi_offset d10, -128
    .cfi_offset d11, -120
    stp d12, d13, [sp, #48]
    .cfi_offset d12, -112
    .cfi_offset d13, -104
    stp d14, d15, [sp, #64]
    .cfi_offset d14, -96
    .cfi_offset d15, -88
    stp x20, x21, [sp, #80]
    .cfi_offset x20, -80
    .cfi_offset x21, -72
    stp x22, x23, [sp, #96]
    .cfi_offset x22, -64
    .cfi_offset x23, -56
    stp x24, x25, [sp, #112]
    .cfi_offset x24, -48
    .cfi_offset x25, -40
    stp x26, x27, [sp, #128]
    .cfi_offset x26, -32
    .cfi_offset x27, -24
    stp x28, x30, [sp, #144]
    .cfi_offset x28, -16
    .cfi_offset x30, -8
    .cfi_remember_state
    adr x17, 2f
    stp x29, x17, [sp, #-32]!
    .cfi_adjust_cfa_offset 32
    str x19, [sp, #16]
    mov x16, sp
    str x16, [x0]
    mov sp, x1
    // From here to the jump a backtrace shows the target's frames: the caller of this
    // code is whatever the four words describe.
    .cfi_def_cfa sp, 32
    .cfi_offset x19, -16
    .cfi_offset x30, -24
    .cfi_offset x29, -32
    .cfi_undefined x20
    .cfi_undefined x21
    .cfi_undefined x22
    .cfi_undefined x23
    .cfi_undefined x24
    .cfi_undefined x25
    .cfi_undefined x26
    .cfi_undefined x27
    .cfi_undefined x28
    .cfi_undefined d8
    .cfi_undefined d9
    .cfi_undefined d10
    .cfi_undefined d11
    .cfi_undefined d12
    .cfi_undefined d13
    .cfi_undefined d14
    .cfi_undefined d15
    mov x0, x2
    mov x1, x3
    mov x29, sp
    blr x4
    ldp x29, x16, [sp]
    br x16
    .cfi_restore_state
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
    br x16
    .cfi_endproc
