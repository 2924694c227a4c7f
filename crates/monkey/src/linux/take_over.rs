//! How a function of libc is taken over.

/// Defines functions of libc, and `SYMBOLS`, their names. Of each: `ours`, what it does where a greenlet may
/// wait, or where the condition that stands after the part holds; and `plain`, what it does otherwise in a
/// program that has no next definition, which is a system call.
///
/// A macro, because a symbol, the pointer to its next definition and its type cannot be had from a
/// function.
macro_rules! take_over {
    ($part:expr => $($functions:tt)*) => {
        take_over! { $part, ::greenlet::hub::embed::has_hub() => $($functions)* }
    };
    ($part:expr, $where:expr => $(
        $(#[$meta:meta])*
        fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $result:ty {
            ours: $ours:expr,
            plain: $plain:expr $(,)?
        }
    )*) => {
        pub(in crate::linux) const SYMBOLS: &[&str] = &[$(stringify!($name)),*];

        $(
            $(#[$meta])*
            // SAFETY: it is defined to do what libc's does, so whoever calls that may call this.
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($($arg: $type),*) -> $result {
                static NEXT: $crate::linux::next::Next = $crate::linux::next::Next::of(
                    match ::std::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                        Ok(name) => name,
                        Err(_) => unreachable!(),
                    },
                );
                if $part.is_on() {
                    if $where {
                        $part.count_call();
                        // SAFETY: the arguments are as libc's function takes them.
                        #[allow(unused_unsafe, reason = "some are safe")]
                        return unsafe { $ours };
                    }
                    $part.count_passed();
                }
                match NEXT.address() {
                    Some(next) => {
                        // SAFETY: the next definition of a symbol has its type, and the arguments are for it.
                        unsafe {
                            let next: unsafe extern "C" fn($($type),*) -> $result = ::std::mem::transmute(next);
                            next($($arg),*)
                        }
                    }
                    // SAFETY: the arguments are as libc's function takes them.
                    #[allow(unused_unsafe, reason = "some are safe")]
                    None => unsafe { $plain },
                }
            }
        )*
    };
}

pub(super) use take_over;
