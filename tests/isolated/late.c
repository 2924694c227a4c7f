// A library that is loaded when there are greenlets with thread-local storage of their own. The loader finds
// room for its thread-locals in each block, because one of them asks for that.

static __thread int number = 1234;
static __thread int placed __attribute__((tls_model("initial-exec"))) = 77;

// What they are now, and one more from then on.
int count(void) {
    return number++ + placed++;
}
