//! A Redis server.

use std::error::Error;

use super::child::{Folder, Server, command, find, free_port};

/// A Redis server with nothing in it.
pub struct Redis {
    port: u16,
    _server: Server,
    _folder: Folder,
}

impl Redis {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// [`Missing`](super::Missing), or what went wrong.
    pub fn start() -> Result<Self, Box<dyn Error>> {
        let (program, folder, port) =
            (find("REDIS_SERVER", "redis-server")?, Folder::new("redis")?, free_port()?);
        let mut command = command(&program, &folder, libc::SIGTERM);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        // It looks this often in a second whether somebody has waited long enough.
        command.args(["--hz", "500"]);
        let server = Server::start(command, "eady to accept connections", libc::SIGTERM)?;
        Ok(Self { port, _server: server, _folder: folder })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}
