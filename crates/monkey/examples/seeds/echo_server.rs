//! An echo server in which nothing but `spawn` is greenlet's: sockets are std's.
//!
//! Python's original serves for ever; this one ends with the last of its clients.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use greenlet::{join_all, spawn};

const CLIENTS: usize = 3;

fn server(listener: &TcpListener) {
    for connection in listener.incoming().take(CLIENTS) {
        let connection = connection.expect("a client");
        drop(spawn(move || handle_request(connection)));
    }
}

fn handle_request(mut connection: TcpStream) {
    let mut data = [0; 1024];
    loop {
        match connection.read(&mut data) {
            Ok(0) => return drop(connection.shutdown(Shutdown::Write)),
            Ok(len) => {
                println!("recv: {}", String::from_utf8_lossy(&data[..len]));
                connection.write_all(&data[..len]).expect("the client reads");
            }
            Err(error) => return println!("{error}"),
        }
    }
}

fn client(port: u16, name: usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    for message in ["hello", "goodbye"] {
        let message = format!("{message} from {name}");
        stream.write_all(message.as_bytes()).expect("the server reads");
        let mut data = vec![0; message.len()];
        stream.read_exact(&mut data).expect("the server answers");
        println!("Received {}", String::from_utf8_lossy(&data));
    }
}

pub(crate) fn main() {
    greenlet_monkey::patch_all().expect("this is Linux");
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    drop(spawn(move || server(&listener)));
    let clients: Vec<_> = (0..CLIENTS).map(|name| spawn(move || client(port, name))).collect();
    join_all(&clients, None);
}
