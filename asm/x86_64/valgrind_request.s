// Ask Valgrind for something, if it runs this program. It knows the sequence by heart; everywhere
// else these instructions do nothing: rdi is rotated by 128 bits in all.
//
//   in    rax = six words: the number of the request and its arguments
//         rdx = the answer if nobody listens
//   out   rdx = the answer

    rol rdi, 3
    rol rdi, 13
    rol rdi, 61
    rol rdi, 51
    xchg rbx, rbx
