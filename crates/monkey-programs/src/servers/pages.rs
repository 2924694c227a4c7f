//! A web site whose every page takes its time, served by std's blocking sockets in greenlets of this thread.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use greenlet::spawn;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A site with one answer, each of which is held back.
pub struct Pages {
    address: SocketAddr,
    certificate: Option<Vec<u8>>,
}

impl Pages {
    /// What it says.
    pub const ANSWER: &str = "It took me a while.";

    /// Serves http.
    ///
    /// # Errors
    ///
    /// If there is no free port.
    pub fn http(each: Duration) -> Result<Self, Box<dyn Error>> {
        let address = serve(move |stream| converse(stream, each))?;
        Ok(Self { address, certificate: None })
    }

    /// Serves https, with a certificate made for it.
    ///
    /// # Errors
    ///
    /// If there is no free port, or no certificate can be made.
    pub fn https(each: Duration) -> Result<Self, Box<dyn Error>> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        let config = Arc::new(config);
        let address = serve(move |stream| {
            let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
            converse(StreamOwned::new(connection, stream), each)
        })?;
        Ok(Self { address, certificate: Some(made.cert.der().to_vec()) })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// By whom it is vouched for: itself. Nobody, if it speaks http.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }
}

/// Accepts connections for as long as the program runs.
fn serve(converse: impl Fn(TcpStream) -> io::Result<()> + Clone + 'static) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    drop(spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let converse = converse.clone();
            drop(spawn(move || converse(stream)));
        }
    }));
    Ok(address)
}

/// Answers one request after the other until the client has no more.
fn converse(mut stream: impl Read + Write, each: Duration) -> io::Result<()> {
    while read_request(&mut stream)? {
        thread::sleep(each);
        let answer = Pages::ANSWER;
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len())?;
        stream.flush()?;
    }
    Ok(())
}

/// Reads up to the empty line, after which a GET has nothing. `false` if there is none.
fn read_request(stream: &mut impl Read) -> io::Result<bool> {
    let (mut request, mut piece) = (Vec::new(), [0; 1024]);
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(false),
            len => request.extend_from_slice(&piece[..len]),
        }
    }
    Ok(true)
}
