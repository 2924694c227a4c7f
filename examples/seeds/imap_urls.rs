//! Pages through a pool: two hundred at a time at most, and the results in the order of the URLs.

mod arguments;
mod web;

use greenlet::pool::Pool;

pub(crate) fn main() {
    fetch_all(arguments::or(["http://www.google.com/", "http://www.yahoo.com/", "http://www.python.org/"]));
}

pub(crate) fn fetch_all(urls: Vec<String>) {
    let pool = Pool::new(200);
    for page in pool.imap(urls, |url| web::get(&url)) {
        match page.expect("nothing in it panics") {
            Ok((_, body)) => println!("got body {}", body.len()),
            Err(error) => println!("got nothing: {error}"),
        }
    }
}
