// From here on thread-local variables are those of another block of storage. In the middle of a
// switch, so that the frames of either side see one block each: compilers take it for granted that
// the address of a thread-local does not change while a function runs.
//
//   in    r9 = the block: where its thread control block is

    wrfsbase r9
