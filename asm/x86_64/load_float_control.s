// Compute with floating point as when save_float_control.s saved it.
//
//   in    rdi = eight bytes that it wrote

    ldmxcsr [rdi]
    fldcw [rdi + 4]
