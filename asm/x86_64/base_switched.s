// Where the base frame of a stack that is switched to goes on.

    sub rsp, 8 // so that it is a multiple of 16 at the call
