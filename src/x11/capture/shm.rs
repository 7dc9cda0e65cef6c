//! Memory shared with the X server (a sealed memfd or a System V segment), and private memory into
//! which images are copied from there.
//!
//! This module has `unsafe` code, because mapping memory that another process writes has no safe
//! interface.
#![allow(unsafe_code)]

use std::{io, num::NonZeroUsize, ops::Range, os::fd::OwnedFd, ptr::NonNull};

use nix::{
    fcntl::{FallocateFlags, FcntlArg, SealFlag, fallocate, fcntl},
    sys::{
        memfd::{MFdFlags, memfd_create},
        mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap},
    },
};

/// A read-only mapping of memory into which the X server writes images.
///
/// Any client can make the X server write there at any time, because the server checks no owner. So
/// the content is never read in place: [`Store::copy_from`] copies the result of an image request.
/// The memory cannot shrink under the mapping (a memfd is sealed, a System V segment has no resize)
/// and is allocated before it is mapped, so a read never ends in SIGBUS.
#[derive(Debug)]
pub(in crate::x11) struct Segment {
    start: NonNull<u8>,
    bytes: NonZeroUsize,
    kind: SegmentKind,
}

/// Memory that no other process can access. The kernel counts it as shared memory of the process,
/// like a segment. It is unmapped when the store is dropped.
#[derive(Debug)]
pub(in crate::x11) struct Store {
    start: NonNull<u8>,
    bytes: NonZeroUsize,
}

#[derive(Debug)]
enum SegmentKind {
    Memfd,
    Sysv,
}

// SAFETY: the mapping is read-only on this side and stays where it is until
// the last owner drops it; it has no thread affinity.
unsafe impl Send for Segment {}
// SAFETY: as above: shared references only ever read.
unsafe impl Sync for Segment {}
// SAFETY: the mapping belongs to this value alone, as a boxed slice does.
unsafe impl Send for Store {}
// SAFETY: as above; it is written through a unique reference only.
unsafe impl Sync for Store {}

impl Segment {
    /// Maps a new memfd of `bytes`, sealed against shrinking and growing, and returns the
    /// descriptor to pass to the server as well.
    ///
    /// # Errors
    ///
    /// Any error of the kernel; `ENOSPC` or `ENOMEM` when memory is short.
    pub(in crate::x11) fn memfd(bytes: NonZeroUsize) -> io::Result<(Self, OwnedFd)> {
        let length = i64::try_from(bytes.get()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let fd = memfd_create(
            c"deskd-capture",
            MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING,
        )?;
        // Allocated now, so that a lack of memory is an error here and not a SIGBUS later.
        fallocate(&fd, FallocateFlags::empty(), 0, length)?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&fd, FcntlArg::F_ADD_SEALS(seals))?;
        // SAFETY: a new mapping, at an address that the kernel chooses, of a file that has at least
        // this length and can no longer shrink.
        let start = unsafe {
            mmap(
                None,
                bytes,
                ProtFlags::PROT_READ,
                MapFlags::MAP_SHARED,
                &fd,
                0,
            )?
        };
        Ok((
            Self {
                start: start.cast(),
                bytes,
                kind: SegmentKind::Memfd,
            },
            fd,
        ))
    }

    /// Maps a new System V segment of `bytes`, and returns its id as well. The caller removes the
    /// id with [`remove_sysv`] once the server has attached the segment.
    ///
    /// # Errors
    ///
    /// Any error of the kernel; `ENOSPC` or `ENOMEM` when memory is short.
    pub(in crate::x11) fn sysv(bytes: NonZeroUsize) -> io::Result<(Self, i32)> {
        // SAFETY: shmget takes plain integers and accesses no memory of this process. Mode 0600:
        // the server must run as root or as deskd's user.
        let id = unsafe { libc::shmget(libc::IPC_PRIVATE, bytes.get(), libc::IPC_CREAT | 0o600) };
        if id < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: attaches a segment of this process at an address that the kernel chooses.
        let start = unsafe { libc::shmat(id, std::ptr::null(), libc::SHM_RDONLY) };
        let failed = start.addr() == usize::MAX;
        match NonNull::new(start.cast()) {
            Some(start) if !failed => Ok((
                Self {
                    start,
                    bytes,
                    kind: SegmentKind::Sysv,
                },
                id,
            )),
            _ => {
                let error = io::Error::last_os_error();
                remove_sysv(id);
                Err(error)
            }
        }
    }

    /// Length of the mapping.
    pub(in crate::x11) fn bytes(&self) -> usize {
        self.bytes.get()
    }
}

/// Marks a System V segment for removal when the last process detaches it.
pub(in crate::x11) fn remove_sysv(id: i32) {
    // SAFETY: IPC_RMID ignores the buffer; a wrong id is an error without effect.
    unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
}

impl Store {
    /// Creates a store of `bytes` zero bytes.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when memory is short.
    pub(in crate::x11) fn new(bytes: NonZeroUsize) -> io::Result<Self> {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses.
        let start = unsafe { mmap_anonymous(None, bytes, access, MapFlags::MAP_SHARED)? };
        Ok(Self {
            start: start.cast(),
            bytes,
        })
    }

    /// Copies a range of bytes from a segment to the same offset in the store.
    ///
    /// # Panics
    ///
    /// When the range exceeds the segment or the store.
    pub(in crate::x11) fn copy_from(&mut self, segment: &Segment, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.bytes.get());
        assert!(range.end <= segment.bytes.get());
        // SAFETY: both mappings contain the range, as was just checked. They do not overlap. The
        // store is writable and borrowed uniquely. Another process may write the segment meanwhile,
        // but any bytes are valid pixels.
        unsafe {
            self.start
                .add(range.start)
                .copy_from_nonoverlapping(segment.start.add(range.start), range.end - range.start);
        }
    }
}

impl AsRef<[u8]> for Store {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the mapping is `bytes` long, readable, lives as long as `self`, and is
        // written through a unique reference to `self` only.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes.get()) }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: `start` is the start of the mapping that `self` made and alone owns; no
        // reference into it outlives `self`.
        let unmapped = unsafe { munmap(self.start.cast(), self.bytes.get()) };
        debug_assert!(unmapped.is_ok());
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: `start` is the start of the mapping that `self` made and
        // alone owns; no reference into it outlives `self`.
        unsafe {
            match self.kind {
                SegmentKind::Memfd => drop(munmap(self.start.cast(), self.bytes.get())),
                SegmentKind::Sysv => drop(libc::shmdt(self.start.as_ptr().cast())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads all of a segment.
    fn read(segment: &Segment) -> Vec<u8> {
        let mut store = Store::new(segment.bytes).unwrap();
        store.copy_from(segment, 0..segment.bytes());
        store.as_ref().to_vec()
    }

    #[test]
    fn a_memfd_is_allocated_and_sealed() {
        let (segment, fd) = Segment::memfd(NonZeroUsize::new(8192).unwrap()).unwrap();
        assert_eq!(read(&segment), [0; 8192]);
        assert!(
            nix::unistd::ftruncate(&fd, 0).is_err(),
            "shrinking must be refused"
        );
        nix::unistd::write(&fd, b"painted").unwrap();
        assert_eq!(&read(&segment)[..7], b"painted");
    }

    #[test]
    fn a_copy_stays_as_it_is() {
        let (segment, fd) = Segment::memfd(NonZeroUsize::new(4096).unwrap()).unwrap();
        nix::unistd::write(&fd, b"first row, second row").unwrap();
        let mut store = Store::new(NonZeroUsize::new(4096).unwrap()).unwrap();
        store.copy_from(&segment, 0..9);
        std::os::unix::fs::FileExt::write_at(&std::fs::File::from(fd), b"forged", 0).unwrap();
        assert_eq!(&store.as_ref()[..12], b"first row\0\0\0");
        store.copy_from(&segment, 11..21);
        assert_eq!(&store.as_ref()[..21], b"first row\0\0second row");
    }

    #[test]
    fn a_sysv_segment_reads_as_zeroes() {
        let (segment, id) = Segment::sysv(NonZeroUsize::new(4096).unwrap()).unwrap();
        remove_sysv(id);
        assert_eq!(read(&segment), [0; 4096]);
    }
}
