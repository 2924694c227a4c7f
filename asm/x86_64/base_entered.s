// Where the base frame of a stack that is entered goes on: it was called by enter.s.
//
//   in    rdi = word     rdx = this stack's pointer, as base.s has it     rsp = the caller's
//   out   rsi = 0, the kind     rcx = where the caller is suspended, for the entry
//
// For the 40 bytes see base_switched.s.

    push rbp
    mov rcx, rsp
    mov rbp, [rdx]
    lea rsp, [rdx - 40]
    xor esi, esi
