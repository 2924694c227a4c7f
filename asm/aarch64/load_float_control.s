// Compute with floating point as when save_float_control.s saved it.
//
//   in    x0 = eight bytes that it wrote

    ldr x1, [x0]
    msr fpcr, x1
