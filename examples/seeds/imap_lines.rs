//! The lines of a file through a pool: as many are read ahead as there are workers, and no more.

mod arguments;

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use greenlet::pool::Pool;

fn worker(line: io::Result<String>) -> io::Result<usize> {
    Ok(line?.split_whitespace().count())
}

pub(crate) fn main() -> io::Result<()> {
    let path = &arguments::or(["README.md"])[0];
    count_words(BufReader::new(File::open(path)?))
}

pub(crate) fn count_words(file: impl BufRead + 'static) -> io::Result<()> {
    let pool = Pool::new(10);
    for words in pool.imap(file.lines(), worker) {
        println!("{}", words.expect("nothing in it panics")?);
    }
    Ok(())
}
