//! A PostgreSQL server.

use std::error::Error;
use std::io;

use super::child::{Folder, Server, command, find, free_port};

/// A PostgreSQL server with nothing in it.
pub struct Postgres {
    port: u16,
    _server: Server,
    _folder: Folder,
}

impl Postgres {
    /// Makes a cluster of databases and serves it, to `connections` clients at most.
    ///
    /// # Errors
    ///
    /// [`Missing`](super::Missing), or what went wrong.
    pub fn start(connections: usize) -> Result<Self, Box<dyn Error>> {
        let (initdb, postgres) = (find("POSTGRES_BIN", "initdb")?, find("POSTGRES_BIN", "postgres")?);
        let (folder, port) = (Folder::new("postgres")?, free_port()?);
        let mut init = command(&initdb, &folder, libc::SIGTERM);
        init.args(["--pgdata=data", "--username=postgres", "--auth=trust", "--locale=C", "--encoding=UTF8"]);
        let output = init.arg("--no-sync").output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr)).into());
        }
        let mut serve = command(&postgres, &folder, libc::SIGQUIT);
        serve.args(["-D", "data", "-h", "127.0.0.1", "-p", &port.to_string(), "-F"]);
        // A few places are for administrators.
        serve.args(["-N", &(connections + 10).to_string(), "-c", "unix_socket_directories="]);
        let server = Server::start(serve, "ready to accept connections", libc::SIGQUIT)?;
        Ok(Self { port, _server: server, _folder: folder })
    }

    /// Where it is, as `postgres` and libpq want to be told.
    pub fn address(&self) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname=postgres sslmode=disable", self.port)
    }
}
