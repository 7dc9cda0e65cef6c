//! Binds the sockets to listen on before anything else starts, so that a wrong setting ends
//! the daemon at once with an instruction.

use std::{
    fs::{self, File},
    io,
    net::{TcpListener, ToSocketAddrs},
    os::unix::{fs::FileTypeExt, net::UnixListener},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

use crate::{config::Address, files};

/// Why the daemon cannot listen on an address.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon listens on the address.
    #[error("another daemon already listens on {0}: stop it, or choose another --listen")]
    InUse(Address),
    /// The folder of a Unix socket is missing.
    #[error("the folder {} of the socket does not exist: create it, or choose another --listen", .0.display())]
    NoFolder(PathBuf),
    /// The path of the socket exists and is not a socket.
    #[error("{} exists and is not a socket: remove it, or choose another --listen", .0.display())]
    NotASocket(PathBuf),
    /// A TCP address that other machines can reach, without a token.
    #[error(
        "{0} can be reached from other machines, which needs a token: give --token-file, or listen on 127.0.0.1"
    )]
    NeedsToken(Address),
    /// Another error of the operating system.
    #[error("cannot listen on {address}: {source}")]
    System {
        /// The address.
        address: Address,
        /// The system's error.
        source: io::Error,
    },
}

/// A socket that is bound to an address.
#[derive(Debug)]
pub struct Listener {
    pub(in crate::rpc) socket: ListenSocket,
    address: Address,
}

#[derive(Debug)]
pub(in crate::rpc) enum ListenSocket {
    Unix(UnixListener, SocketFile),
    Tcp(TcpListener),
}

/// The file of a Unix socket, removed on drop, and the lock that reserves its path.
#[derive(Debug)]
pub(in crate::rpc) struct SocketFile {
    path: PathBuf,
    // Held until the file is removed.
    _lock: Flock<File>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // An error is ignored: the file may already have been removed.
        drop(fs::remove_file(&self.path));
    }
}

impl Listener {
    /// Binds `address`. `mode` is the mode of a socket file. `has_token`: whether callers
    /// over TCP need a token.
    ///
    /// A socket file that an ended daemon left behind is replaced. That of a running daemon
    /// is not, because the daemon holds the lock `PATH.lock`.
    ///
    /// # Errors
    ///
    /// A [`BindError`] that names the obstacle.
    pub fn bind(address: &Address, mode: u32, has_token: bool) -> Result<Self, BindError> {
        let failed = |source| BindError::System {
            address: address.clone(),
            source,
        };
        let in_use = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse(address.clone()),
            _ => failed(source),
        };
        match address {
            Address::Unix(path) => {
                let file = claim(path, address)?;
                let listener = UnixListener::bind(path).map_err(in_use)?;
                listener.set_nonblocking(true).map_err(failed)?;
                files::set_mode(path, mode).map_err(failed)?;
                Ok(Self {
                    socket: ListenSocket::Unix(listener, file),
                    address: address.clone(),
                })
            }
            Address::Tcp { host, port } => {
                let found: Vec<_> = (host.as_str(), *port)
                    .to_socket_addrs()
                    .map_err(failed)?
                    .collect();
                if !has_token && found.iter().any(|found| !found.ip().is_loopback()) {
                    return Err(BindError::NeedsToken(address.clone()));
                }
                let listener = TcpListener::bind(found.as_slice()).map_err(in_use)?;
                listener.set_nonblocking(true).map_err(failed)?;
                // If the port was 0, the system has chosen one.
                let bound = listener.local_addr().map_err(failed)?;
                let bound = Address::Tcp {
                    host: bound.ip().to_string(),
                    port: bound.port(),
                };
                Ok(Self {
                    socket: ListenSocket::Tcp(listener),
                    address: bound,
                })
            }
        }
    }

    /// Returns the bound address; for TCP with the actual port.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

/// Locks `PATH.lock`, and removes a socket file that an ended daemon left behind.
fn claim(path: &Path, address: &Address) -> Result<SocketFile, BindError> {
    let failed = |source| BindError::System {
        address: address.clone(),
        source,
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    if !folder.is_dir() {
        return Err(BindError::NoFolder(folder.to_owned()));
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let mut open = File::options();
    std::os::unix::fs::OpenOptionsExt::mode(open.create(true).truncate(false).write(true), 0o600);
    let lock = files::open_no_link(Path::new(&name), &mut open).map_err(failed)?;
    let lock =
        Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
            nix::errno::Errno::EWOULDBLOCK => BindError::InUse(address.clone()),
            other => failed(other.into()),
        })?;
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => fs::remove_file(path).map_err(failed)?,
        Ok(_) => return Err(BindError::NotASocket(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    Ok(SocketFile {
        path: path.to_owned(),
        _lock: lock,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn unix(folder: &tempfile::TempDir) -> Address {
        Address::Unix(folder.path().join("deskd.sock"))
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let address = unix(&folder);
        // A killed daemon leaves the socket file without a listener.
        drop(UnixListener::bind(folder.path().join("deskd.sock")).unwrap());
        let first = Listener::bind(&address, 0o600, false).unwrap();
        assert!(matches!(
            Listener::bind(&address, 0o600, false),
            Err(BindError::InUse(_))
        ));
        let mode = fs::metadata(folder.path().join("deskd.sock"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(first);
        assert!(!folder.path().join("deskd.sock").exists());
        assert!(Listener::bind(&address, 0o600, false).is_ok());
    }

    #[test]
    fn what_is_in_the_way_is_named_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("deskd.sock"), "precious").unwrap();
        assert!(matches!(
            Listener::bind(&unix(&folder), 0o600, false),
            Err(BindError::NotASocket(_))
        ));
        assert_eq!(
            fs::read(folder.path().join("deskd.sock")).unwrap(),
            b"precious"
        );
        let missing = Address::Unix(folder.path().join("no/deskd.sock"));
        assert!(matches!(
            Listener::bind(&missing, 0o600, false),
            Err(BindError::NoFolder(_))
        ));
    }

    #[test]
    fn a_port_for_others_needs_a_token() {
        let address: Address = "0.0.0.0:0".parse().unwrap();
        assert!(matches!(
            Listener::bind(&address, 0, false),
            Err(BindError::NeedsToken(_))
        ));
        let bound = Listener::bind(&address, 0, true).unwrap();
        assert!(!bound.address().to_string().ends_with(":0"));
        assert!(Listener::bind(&"127.0.0.1:0".parse().unwrap(), 0, false).is_ok());
        assert!(matches!(
            Listener::bind(bound.address(), 0, true),
            Err(BindError::InUse(_))
        ));
    }
}
