// The beginning of a switch that is a function of its own: saves what the inlined form leaves
// to the compiler, x20 to x28, x30 and d8 to d15.
//
//  +160 -> +------------------------------------+  sp on entry
//   +80    |  x30, padding, x20 to x28          |
//   +16    |  d8 to d15                         |
//   sp ->  +------------------------------------+  sp on exit

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
