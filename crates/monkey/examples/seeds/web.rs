//! A small web for the programs beside this: a server that takes its time, and a client with no idea of
//! greenlets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Serves `pages` requests, each for this long, on threads of its own: it is the world outside.
pub(crate) fn serve(pages: usize, each: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for connection in listener.incoming().take(pages).flatten() {
            thread::spawn(move || answer(connection, each));
        }
    });
    address
}

fn answer(mut connection: TcpStream, each: Duration) {
    let mut request = [0; 1024];
    let _ = connection.read(&mut request);
    thread::sleep(each);
    let _ = connection.write_all(b"HTTP/1.0 200 OK\r\n\r\n<html></html>");
}

/// Fetches a page in the plainest way that there is; how long it is.
pub(crate) fn get(address: SocketAddr) -> usize {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("the server reads");
    let mut page = Vec::new();
    stream.read_to_end(&mut page).expect("the server answers");
    page.len()
}
