// Where the base frame of a stack that is switched to goes on.

    sub rsp, 8
