// The base frame of every greenlet: where its first switch lands, where its end leaves from, and
// where its backtrace goes over to the stack of its parent.
//
//   in    rdi = word   rsi = kind
//
// The stack as `init_stack` prepares it, and as it stays while the greenlet lives:
//
//   top -> +------------------------------------+  16-byte aligned
//    -8    |  0                                 |  \  frame record that ends a
//   -16    |  0                          <- rbp |  /  frame-pointer walk
//   -24    |  control block of the greenlet     |
//   -32    |  entry: the function to call       |
//   -40    |  (padding)                         |  \  first: the suspended layout of switch.s.
//   -48    |  rip = this routine                |   | An heir of the stack is laid out here, too.
//   -56    |  rbp = top - 16                    |  /
//   -64    |  where to go on from here   <- rsp |  written by the entry
//          +------------------------------------+
//
// The canonical frame address is that of the frame the *current* parent is suspended in:
//
//   cfa = (*(rbp - 8))->parent->stack_pointer + 24
//
// It is a signal frame to debuggers, because frame addresses need not fall from one stack
// to the next.
//
// The entry comes back when the greenlet has ended, with the message for whoever continues, and
// resume.s, which follows, leaves by a jump. So the call is matched by its return: one that is
// not would leave the return-stack predictor off by one for good.

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
    sub rsp, 24
    mov rdx, rsi
    mov rsi, rdi
    mov rdi, [rbp - 8]
    mov rcx, rsp
    call [rbp - 16]
    mov rdi, rax
    mov rsi, rdx
    mov rcx, [rsp]
