//! Which functions stand in for libc's, and whether they are all that std needs.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::undocumented_unsafe_blocks, reason = "calls of C functions with what they take")]

use std::ffi::{CStr, CString, c_void};
use std::mem::MaybeUninit;
use std::process::Command;

use greenlet_monkey::{patch_all, patched_symbols};

/// The file that an address is in.
fn file_of(address: *const c_void) -> String {
    let mut about = MaybeUninit::<libc::Dl_info>::zeroed();
    unsafe {
        assert_ne!(libc::dladdr(address, about.as_mut_ptr()), 0);
        CStr::from_ptr(about.assume_init().dli_fname).to_str().unwrap().to_owned()
    }
}

/// The file that a symbol comes from, as the program and the libraries in it see it.
fn origin(name: &str) -> String {
    let name = CString::new(name).unwrap();
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    assert!(!address.is_null(), "there is a {name:?}");
    file_of(address)
}

#[test]
fn each_symbol_is_ours_under_its_own_name() {
    patch_all().unwrap();
    let program = file_of(origin as *const c_void);
    for name in patched_symbols() {
        assert_eq!(origin(name), program, "{name}");
    }
    assert!(patched_symbols().count() > 55);
    assert_ne!(origin("getpid"), program, "which nobody has taken over");
}

/// What std calls that may block, and is left alone nevertheless.
const LEFT: &[(&str, &str)] = &[
    ("execvp", "does not return"),
    ("fdatasync", "a disk"),
    ("fsync", "a disk"),
    ("fork", "copies the process, and a handler sees to the child"),
    ("getpwuid_r", "std::env::home_dir, where a user has no variable HOME"),
    ("ioctl", "std asks for FIONBIO, FIOCLEX and the like"),
    ("open64", "a FIFO that nobody has opened at its other end"),
    ("openat64", "as open64"),
    ("pidfd_spawnp", "waits inside libc until the child has begun its program"),
    ("posix_spawnp", "as pidfd_spawnp"),
    ("pread64", "files"),
    ("preadv", "files"),
    ("pwrite64", "files"),
    ("pwritev", "files"),
    ("shutdown", "does not wait"),
    ("truncate64", "a file"),
    ("ftruncate64", "a file"),
];

/// What never waits for anything.
const PROMPT: &[&str] = &[
    "abort",
    "bcmp",
    "bind",
    "calloc",
    "chdir",
    "chmod",
    "chown",
    "chroot",
    "clock_gettime",
    "closedir",
    "dirfd",
    "dl_iterate_phdr",
    "dlsym",
    "dup",
    "environ",
    "exit",
    "_exit",
    "fchmod",
    "fchown",
    "fdopendir",
    "free",
    "freeaddrinfo",
    "futimens",
    "gai_strerror",
    "getauxval",
    "getcwd",
    "getenv",
    "gethostname",
    "getpeername",
    "getpid",
    "getppid",
    "getrandom",
    "getsockname",
    "getsockopt",
    "gettid",
    "getuid",
    "gnu_get_libc_version",
    "kill",
    "lchown",
    "linkat",
    "listen",
    "lseek64",
    "malloc",
    "memcmp",
    "memcpy",
    "memmove",
    "memset",
    "mkdir",
    "mkfifo",
    "mmap64",
    "mprotect",
    "munmap",
    "opendir",
    "pidfd_getpid",
    "pipe2",
    "posix_memalign",
    "pthread_attr_destroy",
    "pthread_attr_getguardsize",
    "pthread_attr_getstack",
    "pthread_attr_init",
    "pthread_attr_setstacksize",
    "pthread_create",
    "pthread_detach",
    "pthread_getattr_np",
    "pthread_key_create",
    "pthread_key_delete",
    "pthread_self",
    "pthread_setname_np",
    "pthread_setspecific",
    "readdir64",
    "readlink",
    "realloc",
    "realpath",
    "rename",
    "rmdir",
    "sched_getaffinity",
    "setenv",
    "setgid",
    "setgroups",
    "setpgid",
    "setsid",
    "setsockopt",
    "setuid",
    "sigaction",
    "sigaddset",
    "sigaltstack",
    "sigemptyset",
    "signal",
    "socket",
    "socketpair",
    "statx",
    "strlen",
    "strnlen",
    "symlink",
    "sysconf",
    "unlink",
    "unlinkat",
    "unsetenv",
    "utimensat",
    "fstat64",
    "fstatat64",
    "lstat64",
    "stat64",
];

/// Families that never wait, by how their names begin.
const PROMPT_FAMILIES: &[&str] =
    &["_ITM_", "_Unwind_", "__", "posix_spawnattr_", "posix_spawn_file_actions_"];

/// The compiler's answer to a question, or nothing.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// What the shared form of std takes from other libraries; `None` where it is not to be had.
fn imports_of_std() -> Option<Vec<String>> {
    let folder = output("rustc", &["--print", "target-libdir"])?;
    let std = std::fs::read_dir(folder.trim()).ok()?.flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".so")
    })?;
    let symbols = output("nm", &["-D", "--undefined-only", std.to_str()?])?;
    let name = |line: &str| Some(line.split_whitespace().nth(1)?.split('@').next()?.to_owned());
    Some(symbols.lines().filter_map(name).collect())
}

#[test]
fn all_that_blocks_in_std_is_taken_over() {
    let Some(imports) = imports_of_std() else {
        return eprintln!("skipped: no shared std, or no nm to look at it");
    };
    assert!(imports.iter().any(|name| name == "recv"), "std's imports were read");
    patch_all().unwrap();
    let known = |name: &str| {
        patched_symbols().any(|ours| ours == name)
            || LEFT.iter().any(|(left, _)| *left == name)
            || PROMPT.contains(&name)
            || PROMPT_FAMILIES.iter().any(|family| name.starts_with(family))
    };
    let unknown: Vec<_> = imports.iter().filter(|name| !known(name)).collect();
    assert!(
        unknown.is_empty(),
        "std calls functions of which nobody has said whether they block: {unknown:?}"
    );
}
