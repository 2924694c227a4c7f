// Switch to another stack, as an ordinary function: for cold paths and callers that
// cannot inline. It stores what the inlined form leaves to the compiler, and then
// suspends in the same layout (see switch.s).
//
//   in    x0 = where to save this stack pointer   x1 = the target's stack pointer
//         x2 = word                               x3 = kind
//   out   x0 = word                               x1 = kind
//
//  +160 -> +------------------------------------+  sp on entry
//   +80    |  x30, padding, x20 to x28          |
//   +16    |  d8 to d15                         |
//   sp ->  +------------------------------------+
//   -32    |  x29, pc = label 2, x19, padding   |  the suspended layout
//          +------------------------------------+

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
    adr x17, 2f
    stp x29, x17, [sp, #-32]!
    .cfi_adjust_cfa_offset 32
    str x19, [sp, #16]
    mov x16, sp
    str x16, [x0]
    mov sp, x1
    mov x0, x2
    mov x1, x3
    ldp x29, x16, [sp]
    br x16
    // Whoever unwinds a suspended stack through its base frame arrives here with the stack
    // pointer just above the four words.
    .cfi_adjust_cfa_offset -32
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
