// From here on thread-local variables are those of another block of storage. In the middle of a
// switch, so that the frames of either side see one block each: compilers take it for granted that
// the thread base does not change while a function runs, and read it once.
//
//   in    x5 = the thread base of that block
//
// What follows reads it as it was written: no barrier is needed between the two.

    msr tpidr_el0, x5
