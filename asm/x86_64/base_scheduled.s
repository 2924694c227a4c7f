// Where the base frame of a task's stack goes on, which a hub switches to.
//
// 8 bytes make rsp a multiple of 16 at the call. The 32 more of base_switched.s were measured to slow tasks down, which
// wait in deeper frames.

    sub rsp, 8
