//! `deskd bridge`: forwards the daemon's socket over standard input and output, for sandbox
//! providers that offer only exec.
//!
//! The bytes are forwarded unchanged: gRPC traffic, including the caller's token and TLS.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    thread,
};

use super::{
    args::BridgeArgs,
    call,
    exit::{CliError, Exit},
};
use crate::config::Address;

/// Forwards bytes until the daemon or the other side closes.
pub(super) fn run(bridge: &BridgeArgs) -> Result<Exit, CliError> {
    let address = bridge.server.clone().unwrap_or_else(call::default_address);
    let failed = |error: io::Error| {
        let message = format!("no daemon answers at {address}: {error}");
        CliError::new(Exit::NoDaemon, message)
    };
    let ours = |error: io::Error| CliError::new(Exit::Local, format!("cannot bridge: {error}"));
    let socket = Socket::connect(&address).map_err(failed)?;
    let (mut from, mut to) = (socket.copy().map_err(ours)?, socket.copy().map_err(ours)?);
    // Files are used, because Rust's standard output buffers until the end of a line.
    let file = |fd: io::Result<OwnedFd>| fd.map(File::from).map_err(ours);
    let mut input = file(io::stdin().as_fd().try_clone_to_owned())?;
    let mut output = file(io::stdout().as_fd().try_clone_to_owned())?;
    thread::spawn(move || {
        // After any end of the input, no further bytes follow.
        drop(pump(&mut input, &mut to));
        socket.shut_down();
    });
    // The reader of the output may disconnect, which is a normal end.
    drop(pump(&mut from, &mut output));
    Ok(Exit::Done)
}

/// Copies bytes as they arrive, until either side ends.
fn pump(from: &mut File, to: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    fn connect(address: &Address) -> io::Result<Self> {
        Ok(match address {
            Address::Unix(path) => Self::Unix(UnixStream::connect(path)?),
            Address::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port))?;
                stream.set_nodelay(true)?;
                Self::Tcp(stream)
            }
        })
    }

    fn copy(&self) -> io::Result<File> {
        let fd = match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        };
        Ok(fd.try_clone_to_owned()?.into())
    }

    /// Notifies the daemon that no further bytes follow.
    fn shut_down(&self) {
        // This fails if the daemon has disconnected already.
        drop(match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
        });
    }
}
