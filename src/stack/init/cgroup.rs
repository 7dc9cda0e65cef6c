//! A control group of the stack (cgroups(7), version 2). It identifies the stack's processes even
//! after the init was killed, and if a program has removed its mark.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nix::unistd::Pid;

/// Maximum number of process ids that are read from a group; a desktop has some hundreds.
const MAX_PIDS: usize = 65_536;

/// A control group, identified by its folder.
#[derive(Debug)]
pub(super) struct Group(PathBuf);

impl Group {
    /// Creates the group below our own group, or takes the one that an earlier init left. Returns
    /// `None` without cgroups version 2, or if their file system is read-only.
    pub(super) fn make(name: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = own_group(&mounts, &groups)?.join(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => None,
            _ => path.join("cgroup.procs").exists().then_some(Self(path)),
        }
    }

    /// Returns the subgroup of a part of the stack.
    pub(super) fn part(&self, name: &str) -> Self {
        let path = self.0.join(name);
        // The subgroup may exist already. If it cannot be created, the whole group is used.
        drop(fs::create_dir(&path));
        Self(path)
    }

    /// Moves a process into the group; its later children are in it, too.
    pub(super) fn add(&self, pid: Pid) {
        // This fails for a process that has ended, which is no problem.
        drop(fs::write(self.0.join("cgroup.procs"), pid.to_string()));
    }

    /// Returns the processes in the group and its subgroups.
    pub(super) fn processes(&self) -> Vec<Pid> {
        let groups = self.parts().into_iter().chain([self.0.clone()]);
        let texts = groups.map(|group| fs::read_to_string(group.join("cgroup.procs")));
        let texts: Vec<String> = texts.map(Result::unwrap_or_default).collect();
        let pids = texts.iter().flat_map(|text| text.lines());
        let pids = pids.filter_map(|line| line.parse().ok());
        pids.map(Pid::from_raw).take(MAX_PIDS).collect()
    }

    fn parts(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).into_iter().flatten();
        let entries = entries.filter_map(Result::ok);
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.map(|entry| entry.path()).collect()
    }

    /// Whether the group and its subgroups contain no process at this instant.
    pub(super) fn is_empty(&self) -> bool {
        let events = fs::read_to_string(self.0.join("cgroup.events"));
        events.map_or(true, |events| {
            events.lines().any(|line| line == "populated 0")
        })
    }

    /// Kills all processes in the group at once, including those being forked (Linux 5.14).
    pub(super) fn kill(&self) {
        drop(fs::write(self.0.join("cgroup.kill"), "1"));
    }

    /// Removes the group and its subgroups, if they are empty.
    pub(super) fn remove(&self) {
        for group in self.parts().into_iter().chain([self.0.clone()]) {
            drop(fs::remove_dir(group));
        }
    }
}

/// Returns the folder of the group that this process is in.
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
