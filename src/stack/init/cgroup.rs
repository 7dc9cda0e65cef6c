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

    /// A group of a part of the stack, within it.
    pub(super) fn part(&self, name: &str) -> Self {
        let path = self.0.join(name);
        // It may be there; and without it, the whole group remains.
        drop(fs::create_dir(&path));
        Self(path)
    }

    /// Puts a process in it, and with it all that it starts from then on.
    pub(super) fn add(&self, pid: Pid) {
        // One that has ended needs none.
        drop(fs::write(self.0.join("cgroup.procs"), pid.to_string()));
    }

    /// The processes in it and in its parts.
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

    /// Whether no process lives in it or in its parts, at this instant.
    pub(super) fn is_empty(&self) -> bool {
        let events = fs::read_to_string(self.0.join("cgroup.events"));
        events.map_or(true, |events| {
            events.lines().any(|line| line == "populated 0")
        })
    }

    /// Kills all at once, also what is being started (Linux 5.14).
    pub(super) fn kill(&self) {
        drop(fs::write(self.0.join("cgroup.kill"), "1"));
    }

    /// Removes it with its parts, when nothing is left in it.
    pub(super) fn remove(&self) {
        for group in self.parts().into_iter().chain([self.0.clone()]) {
            drop(fs::remove_dir(group));
        }
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
