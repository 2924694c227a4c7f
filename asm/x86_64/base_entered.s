// Where the base frame of a stack that is entered goes on: it was called by enter.s.
//
//   in    rcx = this stack's pointer, as base.s has it     rsp = the caller's
//   out   rcx = where the caller is suspended, for the entry

    push rbp
    mov rdx, rsp
    mov rbp, [rcx]
    lea rsp, [rcx - 8]
    mov rcx, rdx
