//! `deskd bridge`: the daemon's socket over standard input and output, for providers
//! that give nothing but exec.
//!
//! Bytes go through as they are: gRPC's, with the caller's token and TLS in them.

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
    // Files, because Rust's own standard output waits for the end of a line.
    let file = |fd: io::Result<OwnedFd>| fd.map(File::from).map_err(ours);
    let mut input = file(io::stdin().as_fd().try_clone_to_owned())?;
    let mut output = file(io::stdout().as_fd().try_clone_to_owned())?;
    thread::spawn(move || {
        // Whatever ends it: nothing more comes from there.
        drop(pump(&mut input, &mut to));
        socket.shut_down();
    });
    // The other side may have gone: that is an end like any other.
    drop(pump(&mut from, &mut output));
    Ok(Exit::Done)
}

/// Moves bytes as they come, until either side ends.
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

    /// The daemon learns that nothing more comes.
    fn shut_down(&self) {
        // It may be gone already.
        drop(match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
        });
    }
}
