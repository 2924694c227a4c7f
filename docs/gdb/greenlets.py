"""Greenlets in gdb.

    (gdb) source docs/gdb/greenlets.py
    (gdb) greenlets                  lists those of the selected thread
    (gdb) greenlet 3                 where number 3 is, down to the bottom of its stack
    (gdb) greenlet 3 COMMAND         any command, as if number 3 were running: `greenlet 3 info locals`

It reads the control blocks, so it needs this crate's debug information. To look at one that is
suspended it sets the registers for the time of the command, so it needs a live process, not a core file.
"""

import contextlib
import gdb

# As in src/greenlet/standing.rs, of which these are the low bits.
PHASES = ["unstarted", "active", "dead"]

# What a suspended stack ends in, from the stack pointer up, and how many bytes that is.
LAYOUTS = {
    "i386:x86-64": (("rbp", "rip", "rbx"), "rsp", 24),
    "aarch64": (("x29", "pc", "x19"), "sp", 32),
}


def number(value):
    return int(value.cast(gdb.lookup_type("usize")))


def words(address, count):
    memory = gdb.selected_inferior().read_memory(address, 8 * count).tobytes()
    return [int.from_bytes(memory[at : at + 8], "little") for at in range(0, 8 * count, 8)]


def control_block():
    # Of values gdb has a type that ends with their last field.
    return gdb.lookup_type("greenlet::greenlet::core::Core")


class Greenlet:
    """One control block."""

    def __init__(self, address):
        self.address = address
        self.core = gdb.Value(address).cast(control_block().pointer()).dereference()

    def field(self, name):
        return self.core[name]["value"]["value"]

    def word(self, name):
        return words(int(self.core[name].address), 1)[0]

    @property
    def id(self):
        return int(self.field("id"))

    @property
    def name(self):
        extras = self.word("extras")
        if not extras:
            return None
        extras = gdb.Value(extras).cast(gdb.lookup_type("greenlet::greenlet::extras::Extras").pointer())
        data, length = words(int(extras["name"].address), 2)
        if not data:
            return None
        return gdb.selected_inferior().read_memory(data, length).tobytes().decode(errors="replace")

    @property
    def parent(self):
        address = self.word("parent")
        return Greenlet(address) if address else None

    def state(self):
        phase = PHASES[int(self.core["standing"]["__0"]["value"]["value"]) & 0b11]
        if phase != "active":
            return phase
        return "running" if self.address == current() else "suspended"

    def __str__(self):
        return f'greenlet {self.id} "{self.name}"' if self.name else f"greenlet {self.id}"

    @contextlib.contextmanager
    def selected(self):
        """Makes gdb see the thread as it will be when this greenlet continues."""
        state = self.state()
        if state == "running":
            yield
            return
        if state != "suspended":
            raise gdb.GdbError(f"{self} is {state}: it has no stack")
        gdb.newest_frame().select()
        architecture = gdb.selected_frame().architecture().name()
        if architecture not in LAYOUTS:
            raise gdb.GdbError(f"the layout of a suspended stack on {architecture} is not known here")
        registers, pointer, size = LAYOUTS[architecture]
        stack_pointer = self.word("continuation")
        wanted = dict(zip(registers, words(stack_pointer, len(registers))))
        wanted[pointer] = stack_pointer + size
        saved = {name: number(gdb.parse_and_eval(f"${name}")) for name in wanted}
        try:
            write_registers(wanted)
        except gdb.error as error:
            raise gdb.GdbError(f"{self} is suspended: {error}")
        try:
            yield
        finally:
            write_registers(saved)


def write_registers(values):
    for name, value in values.items():
        gdb.execute(f"set var ${name} = {value:#x}")
    gdb.newest_frame().select()


def current():
    """The control block of the selected thread's current greenlet, or 0."""
    words = thread_local("greenlet::greenlet::words::WORDS", "greenlet::greenlet::words::Words")
    return cell(words["fast"]) or cell(words["slow"])


def cell(value):
    return number(value["value"]["value"])


def thread_local(path, kind):
    # A constant thread-local is a static in one of the closures that the standard library's macro makes.
    for closure in range(4):
        name = f"{path}::{{constant#0}}::{{closure#{closure}}}::__RUST_STD_INTERNAL_VAL"
        symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
        if symbol and str(symbol.type) == kind:
            return symbol.value()
    raise gdb.GdbError("no debug information of greenlet, or of another version than this file is for")


def greenlets():
    """Those of the selected thread that are not dead."""
    address = current()
    if not address:
        raise gdb.GdbError("this thread has no greenlets")
    core = Greenlet(address).core
    thread = core["thread"]["pointer"].dereference()
    chunks = thread["arena"]["chunks"]["value"]["value"]
    count = int(chunks["len"])
    start = number(chunks["buf"]["inner"]["ptr"]["pointer"]["pointer"])
    found = []
    for address in words(start, count):
        chunk = gdb.Value(address).cast(gdb.lookup_type("greenlet::greenlet::arena::Chunk").pointer())
        blocks = chunk["blocks"]
        base, (first, last) = int(blocks.address), blocks.type.range()
        every = (Greenlet(base + n * control_block().sizeof) for n in range(first, last + 1))
        found += [greenlet for greenlet in every if greenlet.state() != "dead"]
    return sorted(found, key=lambda greenlet: greenlet.id)


def own_frames():
    """The frames of the greenlet that is selected, without those of its parent."""
    frame = gdb.newest_frame()
    while frame and frame.type() != gdb.SIGTRAMP_FRAME:
        yield frame
        frame = frame.older()


def place():
    """The innermost function of Rust that is neither this crate's nor the standard library's."""
    libraries = ("greenlet::", "core::", "std::", "alloc::", "<")
    for frame in own_frames():
        name = frame.name() or ""
        if "::" in name and not name.startswith(libraries):
            sal = frame.find_sal()
            return f"{name} at {sal.symtab.filename}:{sal.line}" if sal.symtab else name
    return ""


def in_rust(command):
    """Makes a command see Rust's types where the thread has stopped in C, as in a system call."""

    def invoke(self, argument, from_tty):
        language = gdb.parameter("language")
        gdb.execute("set language rust", to_string=True)
        try:
            command(self, argument, from_tty)
        finally:
            gdb.execute(f"set language {language}", to_string=True)

    return invoke


class List(gdb.Command):
    """Lists the greenlets of the selected thread."""

    def __init__(self):
        super().__init__("greenlets", gdb.COMMAND_STACK)

    @in_rust
    def invoke(self, argument, from_tty):
        for greenlet in greenlets():
            state = greenlet.state()
            where = ""
            # Nothing to see where there is no stack, or no live process.
            with contextlib.suppress(gdb.GdbError), greenlet.selected():
                where = place()
            mark = "*" if state == "running" else " "
            parent = greenlet.parent
            title = greenlet.name or ("" if parent else "(root)")
            print(f"{mark} {greenlet.id:<4} {state:<9} {title:<16} {where}".rstrip())


class Apply(gdb.Command):
    """greenlet ID [COMMAND]: a backtrace of one greenlet, or any command as if it were running."""

    def __init__(self):
        super().__init__("greenlet", gdb.COMMAND_STACK)

    @in_rust
    def invoke(self, argument, from_tty):
        wanted, _, command = argument.partition(" ")
        found = [greenlet for greenlet in greenlets() if str(greenlet.id) == wanted]
        if not found:
            raise gdb.GdbError(f"no greenlet {wanted}: `greenlets` lists them")
        (greenlet,) = found
        with greenlet.selected():
            if command:
                gdb.execute(command)
                return
            gdb.execute(f"backtrace {sum(1 for _ in own_frames())}")
        if greenlet.parent:
            print(f"(the parent is {greenlet.parent})")


List()
Apply()
