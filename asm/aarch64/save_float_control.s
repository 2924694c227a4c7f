// Save how this thread computes with floating point: rounding, traps, flushing.
//
//   in    x0 = eight bytes to write: fpcr

    mrs x1, fpcr
    str x1, [x0]
