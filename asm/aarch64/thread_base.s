// The thread base.
//
//   out   base

    mrs {base}, tpidr_el0
