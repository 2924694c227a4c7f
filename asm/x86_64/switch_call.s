// Switch to another stack, call a function there, and resume the target with what the
// function returns. The caller is suspended before the call, so the function may free it,
// unlock for it or switch back to it.
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

    .cfi_startproc
    endbr64
    push r15
    .cfi_def_cfa_offset 16
    .cfi_offset r15, -16
    push r14
    .cfi_def_cfa_offset 24
    .cfi_offset r14, -24
    push r13
    .cfi_def_cfa_offset 32
    .cfi_offset r13, -32
    push r12
    .cfi_def_cfa_offset 40
    .cfi_offset r12, -40
    sub rsp, 8
    .cfi_def_cfa_offset 48
    .cfi_remember_state
    push rbx
    .cfi_adjust_cfa_offset 8
    lea rax, [rip + 2f]
    push rax
    .cfi_adjust_cfa_offset 8
    push rbp
    .cfi_adjust_cfa_offset 8
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
    pop rbp
    .cfi_def_cfa_offset 16
    .cfi_restore rbp
    pop rax
    .cfi_def_cfa_offset 8
    .cfi_register rip, rax
    jmp rax
    .cfi_restore_state
2:
    endbr64
    pop rbx
    mov rax, rdi
    mov rdx, rsi
    add rsp, 8
    .cfi_def_cfa_offset 40
    pop r12
    .cfi_def_cfa_offset 32
    .cfi_restore r12
    pop r13
    .cfi_def_cfa_offset 24
    .cfi_restore r13
    pop r14
    .cfi_def_cfa_offset 16
    .cfi_restore r14
    pop r15
    .cfi_def_cfa_offset 8
    .cfi_restore r15
    pop rcx
    .cfi_def_cfa_offset 0
    .cfi_register rip, rcx
    jmp rcx
    .cfi_endproc
