//! A server on several threads.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::StreamServer;
use crate::hub::{self, HubHandle, Hubs};
use crate::net::{TcpListener, TcpStream, ToSocketAddrs};
use crate::os::Detached;
use crate::threads::Event;

/// A [`StreamServer`] on each of several threads, at one address.
///
/// The system shares connections out among the threads
/// ([`bind_for_threads`](crate::net::ListenOptions::bind_for_threads)), and each stays where it was
/// accepted, unless its handler [detaches](TcpStream::detach) it and gives it to another thread's
/// [hub](Self::hubs).
///
/// There is no limit to how many it handles at once: for one, [`run_on`](crate::hub::run_on) threads with a
/// [`StreamServer`] each.
///
/// Dropped without a [`stop`](Self::stop), it goes on.
///
/// ```
/// use std::io::{self, Read, Write};
/// use greenlet::net::TcpStream;
/// use greenlet::server::ThreadedServer;
///
/// # fn main() -> io::Result<()> {
/// let server = ThreadedServer::start(2, "127.0.0.1:0", |(stream, _address)| {
///     io::copy(&mut &stream, &mut &stream)
/// })?;
/// let mut client = TcpStream::connect(server.local_addr())?;
/// client.write_all(b"echo")?;
/// client.read_exact(&mut [0; 4])?;
/// drop(client);
/// assert_eq!(server.stop(None)?, 0);
/// # Ok(())
/// # }
/// ```
#[must_use = "a server without a handle to it cannot be stopped"]
pub struct ThreadedServer {
    address: SocketAddr,
    stop: Arc<Stop>,
    hubs: Hubs<io::Result<usize>>,
}

/// How the threads are told to stop.
struct Stop {
    asked: Event,
    grace: OnceLock<Option<Duration>>,
}

impl ThreadedServer {
    /// Serves at the first of the addresses that can be had, on so many threads. `handler` is called with
    /// each connection, in a task of its own, as that of a [`StreamServer`] is. All listen before this
    /// returns.
    ///
    /// # Errors
    ///
    /// If no address can be had, or a thread cannot be started. Then nothing serves.
    ///
    /// # Panics
    ///
    /// If the number of threads is zero.
    #[track_caller]
    pub fn start<R>(
        threads: usize,
        addresses: impl ToSocketAddrs,
        handler: impl Fn((TcpStream, SocketAddr)) -> R + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listeners = TcpListener::options().bind_for_threads(threads, addresses)?;
        let address = listeners[0].local_addr()?;
        let listeners = Mutex::new(listeners);
        let handler = Arc::new(handler);
        let stop = Arc::new(Stop { asked: Event::new(), grace: OnceLock::new() });
        let told = stop.clone();
        let hubs = hub::run_on(threads, move |_| {
            let listener = listeners.lock().ok().and_then(|mut listeners| listeners.pop());
            let handler = handler.clone();
            serve(listener.expect("there is one for each thread"), move |item| handler(item), &told)
        })?;
        Ok(Self { address, stop, hubs })
    }

    /// Its address.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The hubs of its threads, to which tasks and [detached](Detached) sockets can be given.
    pub fn hubs(&self) -> &[HubHandle] {
        self.hubs.handles()
    }

    /// Stops all threads as [`StreamServer::stop`] stops each: closes the listeners, waits for the handlers
    /// to end, for at most `grace` if there is one, and kills those that have not. Returns how many that
    /// were. Tasks that were given to the hubs are unwound with their threads.
    ///
    /// If the waiting greenlet is interrupted, the threads go on stopping.
    ///
    /// # Errors
    ///
    /// Why a thread could not serve or stop: the first one's error. All have ended. Or in a destructor while
    /// the greenlet unwinds, where nothing can be waited for: the threads go on stopping.
    ///
    /// # Panics
    ///
    /// With the panic of a thread, if one has panicked. A handler's panic ends its own task and not the thread.
    #[track_caller]
    pub fn stop(self, grace: Option<Duration>) -> io::Result<usize> {
        self.stop.grace.get_or_init(|| grace);
        self.stop.asked.set();
        if !self.hubs.is_finished() {
            hub::check_may_wait()?;
        }
        let ended = self.hubs.join().into_iter();
        ended.map(|killed| killed.unwrap_or_else(|payload| panic::resume_unwind(payload))).sum()
    }
}

/// What each thread does.
fn serve<R>(
    listener: Detached<TcpListener>,
    handler: impl Fn((TcpStream, SocketAddr)) -> R + 'static,
    stop: &Stop,
) -> io::Result<usize> {
    let server = StreamServer::new(listener.attach()?, handler)?;
    server.start()?;
    stop.asked.wait();
    server.stop(stop.grace.get().copied().flatten())
}

impl fmt::Debug for ThreadedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, hubs) = (&self.address, &self.hubs);
        f.debug_struct("ThreadedServer").field("address", address).field("hubs", hubs).finish()
    }
}
