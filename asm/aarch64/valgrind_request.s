// Ask Valgrind for something, if it runs this program. It knows the sequence by heart; everywhere
// else these instructions do nothing: x12 is rotated by 128 bits in all.
//
//   in    x4 = six words: the number of the request and its arguments
//         x3 = the answer if nobody listens
//   out   x3 = the answer

    ror x12, x12, #3
    ror x12, x12, #13
    ror x12, x12, #51
    ror x12, x12, #61
    orr x10, x10, x10
