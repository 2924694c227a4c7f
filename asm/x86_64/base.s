// The base frame of every stack: where its first switch lands, where its end leaves from, and where its
// backtrace goes over to the stack of its parent. This is where it begins.
//
//   in    rdi = word   rsi = kind, unless it is entered (see enter.s)
//
// The stack as `init_stack` and `init_entry` prepare it. It stays so while the owner lives, and longer: the
// next one in the same control block needs no more than its own entry there.
//
//   top -> +------------------------------------+  16-byte aligned
//    -8    |  this routine                      |  \  the base's frame record
//   -16    |  place of the link to the    <- rbp |  /
//          |  parent's control block            |
//   -24    |  owner: its control block          |
//   -32    |  entry: the function to call       |
//   -40    |  (padding)                         |  \  first: the suspended layout of switch.s.
//   -48    |  rip = this routine                |   | An heir of the stack is laid out here, too.
//   -56    |  rbp = top - 16             <- rsp |  /
//          |  (padding; up to -64 in a task,    |
//   -96    |   see base_scheduled.s)   the call |
//          +------------------------------------+
//
// The canonical frame address is that of the frame the *current* parent is suspended in. A control
// block begins with the saved stack pointer, so that is
//
//   cfa = ***rbp + 24
//
// A walk by frame pointers goes the same way: it takes the link and the word after it for a frame
// record, then the saved stack pointer and the word after it, and arrives in the same frame with
// two addresses on the way that are none.
//
// It is a signal frame to debuggers, because frame addresses need not fall from one stack
// to the next.
//
// The first switch lands behind the `nop`: if it first has a function called here, by switch_call.s,
// unwinders take this for the place of a call, and look up the byte before.
//
// What follows differs: what is switched to goes on with base_call.s and resume.s, what is entered
// with base_entered.s, base_call.s and base_return.s.

    .cfi_startproc
    .cfi_signal_frame
    .cfi_escape 0x0f, 7, 0x76, 0, 0x06, 0x06, 0x06, 0x23, 24
    .cfi_offset rbx, -8
    .cfi_offset rip, -16
    .cfi_offset rbp, -24
    .cfi_undefined r12
    .cfi_undefined r13
    .cfi_undefined r14
    .cfi_undefined r15
    nop
    endbr64
