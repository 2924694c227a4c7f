// The thread base: the word at its place is its own address, so that the program can have it.
//
//   out   base

    mov {base}, fs:[0]
