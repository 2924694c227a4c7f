//! A server in one call.

use std::io;

use super::{Intake, Server};

/// Serves connections until the server's task is killed or timed out, or the listener is closed, at most
/// `limit` at once (eventlet's `serve`).
///
/// Unlike eventlet's it goes on when a handler fails; that is reported.
///
/// # Errors
///
/// As [`Server::serve_forever`].
///
/// # Panics
///
/// If the limit is zero.
///
/// ```no_run
/// use std::io::Write;
/// use greenlet::net::TcpListener;
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:7000")?;
/// greenlet::server::serve(listener, 1000, |(mut stream, address)| {
///     writeln!(stream, "hello, {address}")
/// })
/// # }
/// ```
#[track_caller]
pub fn serve<I: Intake, R>(
    intake: I,
    limit: usize,
    handler: impl Fn(I::Item) -> R + 'static,
) -> io::Result<()> {
    Server::new(intake, handler)?.limit(limit).serve_forever()
}
