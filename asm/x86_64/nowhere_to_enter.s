// What is entered where there is no stack to enter: answers at once, as if one had ended, so that who enters
// need not look before.
//
//   in    rdi = word
//   out   rdi = word     rsi = kind     (the message, back, but for its kind)
//         rdx = 0

    endbr64
    mov esi, {kind}
    xor edx, edx
    ret
