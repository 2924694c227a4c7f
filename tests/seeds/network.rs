//! Programs that use the network, against servers of this test.

#![allow(dead_code, reason = "the programs' own addresses are out there")]
#![allow(clippy::duplicate_mod, reason = "several programs share a file")]

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use greenlet::net::{TcpListener, TcpStream};
use greenlet::server::StreamServer;
use greenlet::{GreenThread, spawn, yield_now};

use crate::output;

#[path = "../../examples/seeds/echo_client.rs"]
mod echo_client;
#[path = "../../examples/seeds/echo_lines.rs"]
mod echo_lines;
#[path = "../../examples/seeds/echo_server.rs"]
mod echo_server;
#[path = "../../examples/seeds/five_fetches.rs"]
mod five_fetches;
#[path = "../../examples/seeds/imap_lines.rs"]
mod imap_lines;
#[path = "../../examples/seeds/imap_urls.rs"]
mod imap_urls;
#[path = "../../examples/seeds/lookups.rs"]
mod lookups;
#[path = "../../examples/seeds/pages.rs"]
mod pages;
#[path = "../../examples/seeds/pile.rs"]
mod pile;

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A web server, whose pages are as long as their paths.
fn site() -> StreamServer {
    let server = StreamServer::new(listener(), |(mut client, _)| -> io::Result<()> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte)?;
            request.extend(byte);
        }
        let request = String::from_utf8(request).unwrap();
        let path = request.split_whitespace().nth(1).unwrap();
        write!(client, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n{path}")
    });
    let server = server.unwrap();
    server.start().unwrap();
    server
}

/// URLs of pages of three lengths, the first of which are short.
fn urls(site: &StreamServer) -> Vec<String> {
    ["a", "bc", "def"].map(|page| format!("http://{}/{page}", site.local_addr())).into()
}

#[test]
fn names_are_looked_up_together() {
    let names = ["127.0.0.1", "no such name", "::1"].map(String::from);
    let output = output(|| lookups::look_up(names.into()));
    let lines: Vec<_> = output.lines().collect();
    assert_eq!((lines[0], lines[2]), ("127.0.0.1", "::1"));
    assert!(lines[1].starts_with("no such name: "), "{output}");
}

#[test]
fn five_fetches_wait_for_the_network_one_after_the_other_or_together() {
    let site = site();
    let url = format!("http://{}/", site.local_addr());
    let lines = |n: u32| [format!("{n} begins\n"), format!("{n} has status 200\n")];
    let sequential: String = (0..5).flat_map(lines).collect();
    assert_eq!(output(|| five_fetches::synchronous(&url)), sequential);

    let concurrent = output(|| five_fetches::asynchronous(&url));
    let begun: String = (0..5).map(|n| format!("{n} begins\n")).collect();
    let rest = concurrent.strip_prefix(&begun).expect(&concurrent);
    let mut ended: Vec<_> = rest.lines().collect();
    ended.sort();
    assert_eq!(ended, [0, 1, 2, 3, 4].map(|n| format!("{n} has status 200")));
}

#[test]
fn a_crawler_gets_its_pages_one_by_one_and_all_at_once() {
    let site = site();
    let urls = urls(&site);
    let get = |url| format!("GET: {url}\n");
    let received = |url: &String| format!("{} bytes received from {url}.\n", url.len() - urls[0].len() + 2);
    let sequential: String = urls.iter().map(|url| get(url) + &received(url)).collect();
    assert_eq!(output(|| pages::one_by_one(&urls)), sequential);

    let concurrent = output(|| pages::all_at_once(&urls));
    assert!(concurrent.starts_with(&urls.iter().map(get).collect::<String>()), "{concurrent}");
    assert!(urls.iter().all(|url| concurrent.contains(&received(url))), "{concurrent}");
}

#[test]
fn a_pool_maps_urls_to_pages_in_their_order() {
    let site = site();
    let mut urls = urls(&site);
    urls.insert(1, "gopher://somewhere".into());
    let expected = "got body 2\ngot nothing: gopher://somewhere: not http\ngot body 3\ngot body 4\n";
    assert_eq!(output(|| imap_urls::fetch_all(urls)), expected);
}

#[test]
fn a_pool_maps_the_lines_of_a_file() {
    let file = b"one\ntwo words\n\nand three words\n".as_slice();
    assert_eq!(output(|| imap_lines::count_words(file).unwrap()), "1\n2\n0\n3\n");
}

#[test]
fn a_pile_gives_the_results_in_the_order_of_the_spawns() {
    let site = site();
    let address = site.local_addr().to_string();
    let nobody = listener().local_addr().unwrap().to_string(); // closed again
    let output = output(|| pile::get_all(&[address.clone(), nobody.clone(), address.clone()]));
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[..2], [format!("{address} connected"), format!("{address} connected")]);
    let answer = format!("{address}: HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\n/");
    assert_eq!((lines[2], lines[4]), (&*answer, &*answer));
    assert!(lines[3].starts_with(&format!("{nobody}: Connection refused")), "{output}");
}

/// Runs a server that never ends.
fn serve(serve: fn(&TcpListener) -> io::Result<()>) -> (SocketAddr, GreenThread<io::Result<()>>) {
    let listener = listener();
    (listener.local_addr().unwrap(), spawn(move || serve(&listener)))
}

#[test]
fn a_client_and_a_server_echo() {
    let output = output(|| {
        let (address, server) = serve(echo_server::serve);
        let input = b"hello\nworld\n".as_slice();
        echo_client::talk(TcpStream::connect(address).unwrap(), input).unwrap();
        server.kill_and_wait(None).unwrap();
    });
    assert_eq!(output, "recv: hello\nReceived hello\nrecv: world\nReceived world\n");
}

#[test]
fn several_clients_echo_at_once() {
    let (address, server) = serve(echo_server::serve);
    let mut clients = [(); 3].map(|()| TcpStream::connect(address).unwrap());
    for round in 0..2 {
        for (n, client) in clients.iter_mut().enumerate() {
            client.write_all(&[b'0' + round, b'a' + n as u8]).unwrap();
        }
        for (n, client) in clients.iter_mut().enumerate() {
            let mut answer = [0; 2];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, [b'0' + round, b'a' + n as u8]);
        }
    }
    for mut client in clients {
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "the server says that it has ended, too");
    }
    server.kill_and_wait(None).unwrap();
}

#[test]
fn a_server_echoes_lines() {
    let (address, server) = serve(echo_lines::serve);
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"one\ntw").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    client.write_all(b"o\n").unwrap();
    client.read_exact(&mut [0; 4]).unwrap();
    let me = client.local_addr().unwrap();
    let output = output(|| {
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        yield_now();
        server.kill_and_wait(None).unwrap();
    });
    let expected = format!(
        "server socket listening on port {}\naccepted {me}\nclient connected\n\
         echoed one\nechoed two\nclient disconnected\n",
        address.port()
    );
    assert_eq!(output, expected);
}
