// Switch to another stack, call a function there, and resume the target with what the
// function returns. The caller is suspended before the call, so the function may free it,
// unlock for it or switch back to it. It stands between suspend.s (and, where the target has
// thread-local storage of its own, load_thread_base.s) and restore_registers.s.
//
//   in    rdi = where to save this stack pointer   rsi = the target's stack pointer
//         rdx = word                               rcx = kind
//         r8  = function: (word, kind) -> (word, kind), must not unwind
//   out   rax = word                               rdx = kind
//
// The target's stack while the function runs:
//
//   +24 -> +------------------------------------+  16-byte aligned
//          |  rbx, rip, rbp of the target       |
//          |  padding                           |
//          +------------------------------------+  16-byte aligned
//          |  return address: after `call`      |
//          |  frames of the function            |

    .cfi_remember_state
    mov [rdi], rsp
    mov rsp, rsi
    sub rsp, 8
    // From here to the jump a backtrace shows the target's frames: the caller of this
    // code is whatever the three words describe.
    .cfi_def_cfa rsp, 32
    .cfi_offset rbx, -8
    .cfi_offset rip, -16
    .cfi_offset rbp, -24
    .cfi_undefined r12
    .cfi_undefined r13
    .cfi_undefined r14
    .cfi_undefined r15
    lea rbp, [rsp + 8]
    mov rdi, rdx
    mov rsi, rcx
    call r8
    add rsp, 8
    .cfi_def_cfa_offset 24
    mov rdi, rax
    mov rsi, rdx
    mov rbp, [rsp]
    .cfi_restore rbp
    jmp [rsp + 8]
    // As at the end of switch_out_of_line.s. Not as a difference: LLVM's assembler takes that from the
    // offset before the restored state.
    .cfi_restore_state
    .cfi_def_cfa_offset 48
