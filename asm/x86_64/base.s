// The base frame of every greenlet: where its first switch lands, and where its
// backtrace leaves it for the stack of its parent.
//
//   in    rdi = word   rsi = kind
//
// The stack as `init_stack` prepares it, and as it stays while the greenlet lives:
//
//   top -> +------------------------------------+  16-byte aligned
//    -8    |  0                                 |  \  frame record that ends a
//   -16    |  0                          <- rbp |  /  frame-pointer walk
//   -24    |  control block of the greenlet     |
//   -32    |  rip = this routine                |  first: the suspended layout of switch.s,
//   -40    |  rbp = top - 16                    |  then: padding, return address (label 2)
//          +------------------------------------+
//
// The canonical frame address is that of the frame the *current* parent is suspended in:
//
//   cfa = (*(rbp - 8))->parent->stack_pointer + 24
//
// It is a signal frame to debuggers, because frame addresses need not fall from one stack
// to the next and because the return address is exact: nothing was called before it.
//
// `start` is entered by a jump with a return address made by hand. A `call` without its
// `ret` would leave the return-stack predictor off by one for good.

    .cfi_startproc
    .cfi_signal_frame
    .cfi_escape 0x0f, 11, 0x76, 0x78, 0x06, 0x23, {parent}, 0x06, 0x23, {stack_pointer}, 0x06, 0x23, 24
    .cfi_offset rbx, -8
    .cfi_offset rip, -16
    .cfi_offset rbp, -24
    .cfi_undefined r12
    .cfi_undefined r13
    .cfi_undefined r14
    .cfi_undefined r15
    endbr64
    sub rsp, 8
    lea rax, [rip + 2f]
    push rax
    jmp {start}
2:
    ud2
    .cfi_endproc
