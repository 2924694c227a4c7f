// Save how this thread computes with floating point: rounding, masks, flags, flushing.
//
//   in    rdi = eight bytes to write: mxcsr, then the x87 control word

    stmxcsr [rdi]
    fnstcw [rdi + 4]
