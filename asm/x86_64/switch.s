// Switch to another stack, inlined into the caller.
//
//   in    rdi = word     rsi = kind     (the message for the target)
//         rdx = where to save this stack pointer
//         rcx = the target's saved stack pointer
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
// Every other callee-saved register is declared clobbered by the Rust side, so the
// compiler spills those that are live and no others. rbx and rbp are saved here because
// LLVM does not let inline assembly clobber them.
//
// The way out is `jmp`, not `ret`: a return address that another stack pushed is never
// what the processor's return-stack predictor expects.

    push rbx
    lea rax, [rip + 2f]
    push rax
    push rbp
    mov [rdx], rsp
    mov rsp, rcx
    pop rbp
    pop rax
    jmp rax
2:
    endbr64
    pop rbx
