//! A control group of the stack's own (cgroups(7), version 2): what is in it is found also
//! when the init was killed and a program left its mark behind.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nix::unistd::Pid;

/// Process ids that are read of a group; a desktop has some hundreds of them.
const MAX_PIDS: usize = 65_536;

/// The group, where the system lets us make one.
#[derive(Debug)]
pub(super) struct Group(PathBuf);

impl Group {
    /// Makes it below our own group, or takes the one that an earlier init left. `None`
    /// without version 2, or where its file system is read-only.
    pub(super) fn make(name: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = own_group(&mounts, &groups)?.join(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => None,
            _ => path.join("cgroup.procs").exists().then_some(Self(path)),
        }
    }

    /// Puts a process in it, and with it all that it starts from then on.
    pub(super) fn add(&self, pid: Pid) {
        // One that has ended needs none.
        drop(fs::write(self.0.join("cgroup.procs"), pid.to_string()));
    }

    /// The processes in it.
    pub(super) fn processes(&self) -> Vec<Pid> {
        let text = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
        let pids = text.lines().filter_map(|line| line.parse().ok());
        pids.map(Pid::from_raw).take(MAX_PIDS).collect()
    }

    /// Removes it, when nothing is left in it.
    pub(super) fn remove(&self) {
        drop(fs::remove_dir(&self.0));
    }
}

/// The folder of the group that we are in.
fn own_group(mounts: &str, groups: &str) -> Option<PathBuf> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mount = mounts.lines().find_map(|line| {
        // ... root mount-point options - type source options
        let (left, right) = line.split_once(" - ")?;
        let mut words = left.split(' ').skip(3);
        let (root, point) = (words.next()?, words.next()?);
        right.starts_with("cgroup2 ").then_some((root, point))
    });
    let (root, point) = mount?;
    // In a container, the mount may begin at our own group.
    let below = Path::new(own).strip_prefix(root).ok()?;
    Some(Path::new(point).join(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_where_version_2_is_mounted() {
        let mounts = "24 30 0:22 / /proc rw - proc proc rw\n\
            31 23 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        let group = own_group(mounts, "0::/system.slice/deskd.service\n");
        let path = "/sys/fs/cgroup/system.slice/deskd.service";
        assert_eq!(group.as_deref(), Some(Path::new(path)));
        let inner = "31 23 0:27 /pod/c1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            own_group(inner, "0::/pod/c1\n").as_deref(),
            Some(Path::new("/sys/fs/cgroup"))
        );
        assert_eq!(own_group("", "0::/a\n"), None);
        assert_eq!(own_group(mounts, "4:memory:/a\n"), None);
    }
}
