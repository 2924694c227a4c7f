// Where the base frame of a stack that is switched to goes on.
//
// 8 bytes make rsp a multiple of 16 at the call. The other 32 decide where in a cache line the three words are that
// a suspended stack ends in: in one line for most bodies that do little but switch, where they were in two for
// a loop that sends back what it gets.

    sub rsp, 40
