// The base frame of every greenlet: where its first switch lands, where its end leaves from, and
// where its backtrace goes over to the stack of its parent.
//
//   in    x0 = word   x1 = kind
//
// The stack as `init_stack` prepares it, and as it stays while the greenlet lives:
//
//   top -> +------------------------------------+  16-byte aligned
//    -8    |  0                                 |  \  frame record that ends a
//   -16    |  0                          <- x29 |  /  frame-pointer walk
//   -24    |  entry: the function to call       |
//   -32    |  control block of the greenlet     |
//   -40    |  (padding)                         |  \
//   -48    |  (padding)                         |   | first: the suspended layout of switch.s.
//   -56    |  pc = this routine                 |   | An heir of the stack is laid out here, too.
//   -64    |  x29 = top - 16                    |  /
//   -72    |  (padding)                         |
//   -80    |  where to go on from here    <- sp |  written by the entry
//          +------------------------------------+
//
// The canonical frame address is that of the frame the *current* parent is suspended in:
//
//   cfa = (*(x29 - 16))->parent->stack_pointer + 32
//
// It is a signal frame to debuggers, because frame addresses need not fall from one stack
// to the next.
//
// The entry comes back when the greenlet has ended, with the message for whoever continues, and
// resume.s, which follows, leaves by a jump. So the call is matched by its return.

    .cfi_startproc
    .cfi_signal_frame
    .cfi_escape 0x0f, 11, 0x8d, 0x70, 0x06, 0x23, {parent}, 0x06, 0x23, {stack_pointer}, 0x06, 0x23, 32
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
    hint #36 // bti j
    sub sp, sp, #16
    mov x2, x1
    mov x1, x0
    ldr x0, [x29, #-16]
    mov x3, sp
    ldr x4, [x29, #-8]
    blr x4
    ldr x3, [sp]
