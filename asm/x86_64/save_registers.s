// The beginning of a switch that is a function of its own: saves what the inlined form leaves
// to the compiler, r12 to r15.
//
//          |  return address                    |  <- rsp on entry
//          |  r15, r14, r13, r12, padding       |
//          +------------------------------------+  16-byte aligned, rsp on exit

    .cfi_startproc
    endbr64
    push r15
    .cfi_def_cfa_offset 16
    .cfi_offset r15, -16
    push r14
    .cfi_def_cfa_offset 24
    .cfi_offset r14, -24
    push r13
    .cfi_def_cfa_offset 32
    .cfi_offset r13, -32
    push r12
    .cfi_def_cfa_offset 40
    .cfi_offset r12, -40
    sub rsp, 8
    .cfi_def_cfa_offset 48
