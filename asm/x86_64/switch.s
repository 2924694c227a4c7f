// Switch to another stack, inlined into the caller.
//
//   in    rdi = word     rsi = kind     (the message for the target)
//         {save} = where to save this stack pointer, in any register that the compiler has it in
//         rcx = where the target's stack pointer is saved
//   out   rdi = word     rsi = kind     (the message of whoever comes back)
//
// A suspended stack, which every routine in this folder writes and reads alike:
//
//          |  frames of the suspended function  |
//   +24 -> +------------------------------------+  16-byte aligned
//   +16    |  rbx                               |  restored by the side that lands
//    +8    |  rip: where to land                |  \  together a frame record, so a
//   sp ->  |  rbp                               |  /  frame-pointer walk finds it
//          +------------------------------------+
//
// The side that leaves loads rbp and jumps, with rsp at the layout; the side that lands takes
// the rest.
//
// Every other callee-saved register is declared clobbered by the Rust side, so the
// compiler spills those that are live and no others. rbx and rbp are saved here because
// LLVM does not let inline assembly clobber them.
//
// The way out is `jmp`, not `ret`: a return address that another stack pushed is never
// what the processor's return-stack predictor expects.
//
// What it takes is the time of its stores, a cycle for each, or for two in a row to the same
// cache line. So the stack pointer is saved first: the caller has just written beside it. And
// moves instead of pushes and pops, which the processor has to add up where rsp is read.
//
// The target's stack pointer is loaded here, by a register that is not rbp. In the compiler's code it may be
// rbp that holds the address. Then a ring of many greenlets was measured to take twice the time on a Xeon with
// AMX, and only the register made the difference.

    lea rsp, [rsp - 24]
    mov [{save}], rsp
    mov [rsp + 16], rbx
    lea rax, [rip + 2f]
    mov [rsp + 8], rax
    mov [rsp], rbp
    mov rsp, [rcx]
    mov rbp, [rsp]
    jmp [rsp + 8]
2:
    endbr64
    mov rbx, [rsp + 16]
    lea rsp, [rsp + 24]
