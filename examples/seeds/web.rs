//! A page from the web: as much of HTTP as these programs need. (The example `crawl` has more of it.)

use std::io::{self, ErrorKind, Read, Write};

use greenlet::net::TcpStream;

/// The status and the body of `http://host/path`, or `http://host:port/path`.
pub(crate) fn get(url: &str) -> io::Result<(u16, Vec<u8>)> {
    let invalid = |what| io::Error::new(ErrorKind::InvalidData, format!("{url}: {what}"));
    let rest = url.strip_prefix("http://").ok_or_else(|| invalid("not http"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));

    let mut stream = match host.contains(':') {
        true => TcpStream::connect(host)?,
        false => TcpStream::connect((host, 80))?,
    };
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;

    let end_of_head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = answer.split_off(end_of_head.ok_or_else(|| invalid("no answer in HTTP"))? + 4);
    let status = String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| invalid("no status"))?, body))
}
