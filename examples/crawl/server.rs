//! A web server in blocking style: a greenlet accepts, one more greenlet serves
//! each connection.

use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use greenlet::GreenThread;
use greenlet::net::{TcpListener, TcpStream};
use ureq_proto::http::{Request, Response, StatusCode, header};
use ureq_proto::server::state::{ProvideResponse, SendResponse};
use ureq_proto::server::{RecvRequestResult, Reply, SendResponseResult};
use url::Url;

use crate::gauge::Gauge;
use crate::site::Site;
use crate::wire::{HEAD_LIMIT, Wire};

const NOT_FOUND: &str = "<!DOCTYPE html><title>Not found</title>There is no such page.";

/// Serves the site on a port of its own, from a greenlet that goes on until it
/// is killed. Each answer is held back by `delay`, as a distant host's would be.
pub fn start(site: Rc<Site>, delay: Duration, gauge: &Rc<Gauge>) -> io::Result<(Url, GreenThread<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let url = Url::parse(&format!("http://{address}/")).map_err(io::Error::other)?;
    let connections = Rc::clone(gauge);
    let server = gauge.spawn(move || accept_all(&listener, &site, delay, &connections));
    Ok((url, server))
}

fn accept_all(listener: &TcpListener, site: &Rc<Site>, delay: Duration, gauge: &Rc<Gauge>) {
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // Out of file descriptors, most likely: some will be given back.
            greenlet::sleep(delay);
            continue;
        };
        let site = Rc::clone(site);
        // Nobody waits for its end: a client that breaks off is its own business.
        drop(gauge.spawn(move || serve(stream, &site, delay)));
    }
}

/// Answers the requests of one connection, one after the other.
fn serve(stream: TcpStream, site: &Site, delay: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(stream);
    while let Some((request, reply)) = read_request(&mut wire)? {
        greenlet::sleep(delay);
        let target = request.uri().path_and_query();
        let page = target.and_then(|target| site.page(target.as_str()));
        if !answer(&mut wire, reply, page)? {
            break;
        }
    }
    Ok(())
}

/// Waits for a request; none when the client has no more of them, or sends one
/// with a body, which no page takes.
fn read_request(wire: &mut Wire<TcpStream>) -> io::Result<Option<(Request<()>, Reply<ProvideResponse>)>> {
    let mut reply = Reply::new().map_err(io::Error::other)?;
    loop {
        let (used, request) = reply.try_request(wire.unread()).map_err(io::Error::other)?;
        wire.consume(used);
        if let Some(request) = request {
            return Ok(match reply.proceed() {
                Some(RecvRequestResult::ProvideResponse(reply)) => Some((request, reply)),
                _ => None,
            });
        }
        if wire.fill()? == 0 {
            return Ok(None);
        }
    }
}

/// Sends a page, or that there is none; returns whether the client may go on.
fn answer(wire: &mut Wire<TcpStream>, reply: Reply<ProvideResponse>, page: Option<&str>) -> io::Result<bool> {
    let status = match page {
        Some(_) => StatusCode::OK,
        None => StatusCode::NOT_FOUND,
    };
    let body = page.unwrap_or(NOT_FOUND);
    let response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CONTENT_LENGTH, body.len())
        .body(())
        .map_err(io::Error::other)?;
    let mut reply = reply.provide(response).map_err(io::Error::other)?;
    let mut message = head(&mut reply)?;
    let reply = match reply.proceed() {
        SendResponseResult::SendBody(mut reply) => {
            message.extend_from_slice(body.as_bytes());
            reply.consume_direct_write(body.len()).map_err(io::Error::other)?;
            reply.proceed()
        }
        SendResponseResult::Cleanup(reply) => reply,
    };
    wire.send(&message)?;
    Ok(!reply.must_close_connection())
}

fn head(reply: &mut Reply<SendResponse>) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD_LIMIT];
    let length = reply.write(&mut head).map_err(io::Error::other)?;
    head.truncate(length);
    Ok(head)
}
