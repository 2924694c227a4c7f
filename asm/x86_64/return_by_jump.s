// Return from a switch that is a function of its own by a jump, because the `call` that came here is long out
// of the predictor's sight. The place after a `call` is no landing pad, so the jump says that it needs none.

    pop rcx
    .cfi_def_cfa_offset 0
    .cfi_register rip, rcx
    notrack jmp rcx
    .cfi_endproc
