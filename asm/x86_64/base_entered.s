// Where the base frame of a stack that is entered goes on: it was called by enter.s.
//
//   in    rcx = this stack's pointer, as base.s has it     rsp = the caller's
//   out   r8 = where the caller is suspended, for the entry

    push rbp
    mov r8, rsp
    mov rbp, [rcx]
    lea rsp, [rcx - 8]
