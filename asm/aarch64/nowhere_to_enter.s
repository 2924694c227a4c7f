// What is entered where there is no stack to enter: answers at once, as if one had ended, so that who enters
// need not look before.
//
//   in    x0 = word
//   out   x0 = word      x1 = kind      (the message, back, but for its kind)
//         x2 = 0

    hint #34 // bti c
    mov x1, #{kind}
    mov x2, #0
    ret
