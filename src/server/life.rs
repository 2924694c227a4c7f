//! The life of a server: it starts, accepts, pauses and stops, any number of times.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::Intake;
use crate::greenlet::{Greenlet, life};
use crate::hub;
use crate::pool::Group;
use crate::report::{Report, ReportKind};
use crate::sync::{Event, Semaphore};
use crate::task::{GreenThread, Task, sleep, yield_now};

/// How long an error of accepting holds it up: twice as long each time.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A server: it accepts connections, or receives datagrams, and handles each in a task of its own
/// (gevent's `StreamServer` and `DatagramServer`).
///
/// It accepts one a round, so that the tasks that handle run in between. A handler that panics ends its
/// own connection, is [reported](crate::set_report_hook), and nothing else. When the system cannot hand
/// out a connection, such as for want of descriptors, that is reported, and the server pauses for 10 ms,
/// and then for longer, up to a second.
///
/// Clones are the same server. Dropping them all leaves it running.
///
/// ```
/// use std::io::{self, Read, Write};
/// use greenlet::net::{TcpListener, TcpStream};
/// use greenlet::server::StreamServer;
///
/// # fn main() -> io::Result<()> {
/// let server = StreamServer::new(TcpListener::bind("127.0.0.1:0")?, |(stream, _address)| {
///     io::copy(&mut &stream, &mut &stream)
/// })?;
/// server.start()?;
///
/// let mut client = TcpStream::connect(server.local_addr())?;
/// client.write_all(b"echo")?;
/// client.read_exact(&mut [0; 4])?;
/// drop(client);
/// assert_eq!(server.stop(None)?, 0);
/// # Ok(())
/// # }
/// ```
pub struct Server<I: Intake> {
    shared: Rc<Shared<I>>,
}

struct Shared<I: Intake> {
    handler: Box<dyn Fn(I::Item)>,
    place: I::Place,
    /// `None` while it is stopped.
    intake: RefCell<Option<I>>,
    /// Who accepts, if somebody does.
    acceptor: Cell<Option<GreenThread<()>>>,
    /// How often it was started. An acceptor of an earlier time has no say any more.
    time: Cell<u64>,
    handlers: Group,
    /// How many may be handled at once.
    free: Option<Semaphore>,
    /// Set while it is stopped.
    stopped: Event,
    /// Why it has stopped by itself.
    failure: Cell<Option<io::Error>>,
}

impl<I: Intake> Server<I> {
    /// A server that will have `handler` called with each connection or datagram, as [`Intake::Item`]
    /// says. What that returns is dropped, an `Err` too; a connection is closed when the handler has dropped it.
    ///
    /// # Errors
    ///
    /// If the address of the socket cannot be found out.
    ///
    /// ```
    /// use greenlet::net::UdpSocket;
    /// use greenlet::server::DatagramServer;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// let server = DatagramServer::new(socket, |(socket, datagram, from)| socket.send_to(&datagram, from))?;
    /// server.start()?;
    /// let client = UdpSocket::bind("127.0.0.1:0")?;
    /// client.send_to(b"echo", server.local_addr())?;
    /// assert_eq!(client.recv(&mut [0; 8])?, 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new<R>(intake: I, handler: impl Fn(I::Item) -> R + 'static) -> io::Result<Self> {
        let place = intake.place()?;
        let shared = Shared {
            handler: Box::new(move |item| drop(handler(item))),
            place,
            intake: RefCell::new(Some(intake)),
            acceptor: Cell::new(None),
            time: Cell::new(0),
            handlers: Group::new(),
            free: None,
            stopped: Event::new(),
            failure: Cell::new(None),
        };
        Ok(Self { shared: Rc::new(shared) })
    }

    /// Handles at most so many at once (gevent's `spawn=Pool(n)`). Who comes then is not accepted
    /// before there is room, and meanwhile waits in the system's queue.
    ///
    /// # Panics
    ///
    /// If the limit is zero, or the server has been started or cloned.
    pub fn limit(mut self, handlers: usize) -> Self {
        assert!(handlers > 0, "a server that handles nothing serves nobody");
        let shared = Rc::get_mut(&mut self.shared).expect("a limit is set before the server is used");
        shared.free = Some(Semaphore::new(handlers));
        self
    }

    /// Its address, whether it is open or not.
    pub fn local_addr(&self) -> I::LocalAddr {
        I::address(&self.shared.place).clone()
    }

    /// Begins to accept. A server that was stopped opens its socket again at the same address, with
    /// [`reuse_port`](crate::net::ListenOptions::reuse_port) as it was; the backlog and other options are the
    /// defaults then. Nothing happens if it accepts already.
    ///
    /// # Errors
    ///
    /// If it was stopped, and the address is not to be had.
    pub fn start(&self) -> io::Result<()> {
        let shared = &self.shared;
        if shared.intake.borrow().is_none() {
            let intake = I::open(&shared.place)?;
            shared.intake.replace(Some(intake));
        }
        shared.stopped.clear();
        shared.failure.take();
        if !self.is_accepting() {
            shared.time.set(shared.time.get() + 1);
            let acceptor = shared.clone();
            let task = Greenlet::builder().name("server").spawn(move || acceptor.accept());
            shared.acceptor.set(Some(task));
        }
        Ok(())
    }

    /// Accepts no more, but keeps the socket open, so that who comes waits in the system's queue until
    /// the server [starts](Self::start) again. Handlers go on.
    pub fn stop_accepting(&self) {
        if let Some(acceptor) = self.shared.acceptor.take() {
            // A build that cannot unwind ends it when it next takes something.
            let _ = acceptor.kill();
        }
    }

    /// Closes the socket, waits for the handlers to end, for at most `grace` if there is one, and kills
    /// those that have not. Returns how many that were. A handler may stop its own server: it is not
    /// waited for.
    ///
    /// # Errors
    ///
    /// If the socket cannot be closed for want of descriptors. Then the server accepts no more, and
    /// everything else is as it was. Or in a destructor while the greenlet unwinds, if there are handlers:
    /// nothing can be waited for there, so the socket is closed, and they go on.
    #[track_caller]
    pub fn stop(&self, grace: Option<Duration>) -> io::Result<usize> {
        self.close()?;
        let handlers = &self.shared.handlers;
        if let Some(me) = Task::current() {
            handlers.discard(&me);
        }
        if !handlers.is_empty() {
            hub::check_may_wait()?;
        }
        if handlers.join(grace) {
            return Ok(0);
        }
        let late = handlers.len();
        handlers.kill();
        // They unwind in the round that begins now, unless they refuse.
        yield_now();
        Ok(late)
    }

    /// Closes the socket without waiting for handlers, who go on (gevent's `close`).
    ///
    /// # Errors
    ///
    /// If the socket cannot be closed for want of descriptors. Then the server accepts no more.
    pub fn close(&self) -> io::Result<()> {
        self.stop_accepting();
        self.shared.close()
    }

    /// Starts, and waits until the server is stopped. If the waiting greenlet is interrupted, the server
    /// is [closed](Self::close).
    ///
    /// # Errors
    ///
    /// Those of [`start`](Self::start); or why the server has stopped by itself, because its socket
    /// cannot be accepted from any more. In a destructor while the greenlet unwinds, nothing can be waited
    /// for, and nothing starts.
    #[track_caller]
    pub fn serve_forever(&self) -> io::Result<()> {
        hub::check_may_wait()?;
        self.start()?;
        let closes = CloseOnDrop(self);
        self.shared.stopped.wait();
        std::mem::forget(closes);
        self.shared.failure.take().map_or(Ok(()), Err)
    }

    /// Whether its socket is open.
    pub fn is_open(&self) -> bool {
        self.shared.intake.borrow().is_some()
    }

    /// Whether it accepts.
    pub fn is_accepting(&self) -> bool {
        let acceptor = self.shared.acceptor.take();
        let accepts = acceptor.as_ref().is_some_and(|acceptor| !acceptor.is_finished());
        self.shared.acceptor.set(acceptor);
        accepts
    }

    /// How many are being handled.
    pub fn handling(&self) -> usize {
        self.shared.handlers.len()
    }
}

impl<I: Intake> Shared<I> {
    /// What the accepting task does.
    fn accept(self: Rc<Self>) {
        let (time, intake) = (self.time.get(), self.intake.borrow().clone());
        let Some(intake) = intake else { return };
        let mut pause = SHORTEST_PAUSE;
        let mut buffer = Vec::new();
        loop {
            let room = self.clone().take_room();
            match intake.take(&mut buffer) {
                Ok(item) => {
                    pause = SHORTEST_PAUSE;
                    self.handle(item, room);
                }
                Err(error) if is_about_one_peer(&error) => {}
                Err(error) if is_final(&error) => return self.fail(time, error),
                Err(error) => {
                    report(&error);
                    sleep(pause);
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn handle(self: &Rc<Self>, item: I::Item, room: Room<I>) {
        let this = self.clone();
        drop(self.handlers.spawn(move || {
            let _room = room;
            (this.handler)(item);
        }));
    }

    /// Waits until one more may be handled.
    fn take_room(self: Rc<Self>) -> Room<I> {
        if let Some(free) = &self.free {
            free.acquire().forget();
        }
        Room { server: self }
    }

    fn close(&self) -> io::Result<()> {
        if let Some(intake) = &*self.intake.borrow() {
            intake.close()?;
        }
        self.intake.take();
        self.stopped.set();
        Ok(())
    }

    /// Nothing can be accepted any more, from the socket that was open at that time.
    fn fail(&self, time: u64, error: io::Error) {
        // Of one that was stopped it is what was wanted.
        if self.time.get() == time && self.intake.take().is_some() {
            self.failure.set(Some(error));
            self.stopped.set();
        }
    }
}

/// Room for one to be handled. Dropped, it is given back.
struct Room<I: Intake> {
    server: Rc<Shared<I>>,
}

impl<I: Intake> Drop for Room<I> {
    fn drop(&mut self) {
        if let Some(free) = &self.server.free {
            free.release(1);
        }
    }
}

struct CloseOnDrop<'a, I: Intake>(&'a Server<I>);

impl<I: Intake> Drop for CloseOnDrop<'_, I> {
    fn drop(&mut self) {
        // What fails here has nobody to be told: the greenlet unwinds.
        let _ = self.0.close();
    }
}

/// Whether an error is about somebody who is gone, and not about the server's own socket.
fn is_about_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Whether no later attempt can succeed.
fn is_final(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADF | libc::EINVAL | libc::ENOTSOCK | libc::EOPNOTSUPP))
}

fn report(error: &io::Error) {
    let me = Greenlet::<()>::current();
    // SAFETY: `me` holds a count.
    let greenlet = life::describe(unsafe { me.core_ptr().as_ref() });
    Report::new(ReportKind::AcceptFailed, &greenlet, error).send();
}

impl<I: Intake> Clone for Server<I> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<I: Intake> fmt::Debug for Server<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("open", &self.is_open())
            .field("accepting", &self.is_accepting())
            .field("handling", &self.handling())
            .finish()
    }
}
