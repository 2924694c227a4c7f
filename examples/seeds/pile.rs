//! A pile: spawn as many as you like, and then go through what they returned, in the same order.

mod arguments;

use std::io::{self, Read, Write};

use greenlet::net::TcpStream;
use greenlet::pool::Pile;

fn get(address: &str) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(address)?;
    println!("{address} connected");
    server.write_all(b"GET /\r\n\r\n")?;
    let mut answer = Vec::new();
    server.take(1024).read_to_end(&mut answer)?;
    Ok(answer)
}

pub(crate) fn main() {
    get_all(&arguments::or(["www.google.com:80", "www.yandex.ru:80", "www.python.org:80"]));
}

pub(crate) fn get_all(addresses: &[String]) {
    let pile = Pile::of_size(1000);
    for address in addresses {
        let address = address.clone();
        pile.spawn(move || get(&address));
    }
    for (address, result) in addresses.iter().zip(pile) {
        match result.expect("nothing in it panics") {
            Ok(answer) => println!("{address}: {}", answer[..answer.len().min(50)].escape_ascii()),
            Err(error) => println!("{address}: {error}"),
        }
    }
}
