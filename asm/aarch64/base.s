// The base frame of every greenlet: where its first switch lands, and where its
// backtrace leaves it for the stack of its parent.
//
//   in    x0 = word   x1 = kind
//
// The stack as `init_stack` prepares it, and as it stays while the greenlet lives:
//
//   top -> +------------------------------------+  16-byte aligned
//    -8    |  0                                 |  \  frame record that ends a
//   -16    |  0                          <- x29 |  /  frame-pointer walk
//   -24    |  (padding)                         |
//   -32    |  control block of the greenlet     |
//   -40    |  (padding)                         |  \
//   -48    |  (padding)                         |   | first: the suspended layout of
//   -56    |  pc = this routine                 |   | switch.s, then free for frames
//   -64    |  x29 = top - 16                    |  /
//          +------------------------------------+
//
// The canonical frame address is that of the frame the *current* parent is suspended in:
//
//   cfa = (*(x29 - 16))->parent->stack_pointer + 32
//
// It is a signal frame to debuggers, because frame addresses need not fall from one stack
// to the next and because the return address is exact: nothing was called before it.

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
    add sp, sp, #32
    adr x30, 2f
    b {start}
2:
    brk #1
    .cfi_endproc
