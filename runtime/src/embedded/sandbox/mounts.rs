//! The file system that a sandbox sees: layers over each other, and what the system itself puts in.
//!
//! Everything is mounted in the sandbox's own mount namespace, so that nothing of it is ever seen on the machine and
//! the kernel takes it down with the last process. Paths of the image are never trusted: each is resolved by the kernel
//! with the image as its root.
//!
//! # Devices
//!
//! Root of a sandbox may make device nodes, since packages do. To open one would be to have the machine's disks, so
//! nothing but what this file puts into `/dev` can be opened: every mount that can be written to forbids it.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags,
};

use super::protocol::{Bind, Spec};
use crate::embedded::copy::copy_contents;
use crate::embedded::trouble::Doing as _;
use crate::failure::{Failure, Outcome};

/// Devices that every sandbox has.
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];

/// Files of `/proc` and `/sys` that tell too much.
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// What of `/proc` cannot be written to.
const READ_ONLY: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Puts the file system together and moves into it.
pub fn enter(spec: &Spec) -> Outcome<()> {
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .doing(|| "keeping mounts to the sandbox")?;
    overlay(spec)?;
    let root = Root::open(&spec.merged)?;
    // Two processes of one process id namespace see the same, whatever the outer one's shows.
    let system = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    root.mount("proc", "/proc", system, "")?;
    system_folder(&root, spec)?;
    devices(&root, spec)?;
    for file in &spec.files {
        // An image may have anything at all in the file's place; then it goes without the file.
        if let Ok(target) = root.find(&file.target) {
            bind(&file.source, &target, false)?;
        }
    }
    for (target, options) in &spec.tmpfs {
        root.make_folder(target)?;
        let (flags, options) = tmpfs_options(options);
        root.mount("tmpfs", target, flags, &options)?;
    }
    for volume in &spec.volumes {
        root.make_folder(&volume.target)?;
        let target = root.find(&volume.target)?;
        copy_contents(Path::new(&target.path()), &volume.source)?;
        bind(&volume.source, &target, false)?;
        if !spec.is_privileged {
            let mounted = root.find(&volume.target)?;
            restrict(&mounted.path(), MountFlags::NODEV).doing(|| format!("protecting {}", volume.target))?;
        }
    }
    for wanted in &spec.binds {
        user_bind(&root, wanted, spec.is_privileged)?;
    }
    rustix::process::chdir(&spec.merged).doing(|| "entering the file system")?;
    drop(root);
    rustix::process::pivot_root(".", ".").doing(|| "making the file system the root")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).doing(|| "leaving this machine's file system")?;
    rustix::process::chdir("/").doing(|| "entering the file system")?;
    if !spec.is_privileged {
        mask()?;
    }
    Ok(())
}

/// Mounts the layers over each other.
fn overlay(spec: &Spec) -> Outcome<()> {
    let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)
        .doing(|| "asking the kernel for an overlay file system")?;
    let open = |path: &Path| {
        rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .doing(|| format!("opening {}", path.display()))
    };
    let mut held = Vec::new();
    let mut layer = |key: &str, path: &Path| -> Outcome<()> {
        let fd = open(path)?;
        // Kernels take descriptors since 6.13; before that, a path that is always short does the same.
        let set = rustix::mount::fsconfig_set_fd(&context, key, &fd).or_else(|_| {
            rustix::mount::fsconfig_set_string(&context, key, format!("/proc/self/fd/{}", fd.as_raw_fd()))
        });
        held.push(fd);
        set.map_err(|error| kernels_words(&context, error))
            .doing(|| format!("adding {} to the overlay", path.display()))
    };
    for path in &spec.layers {
        layer("lowerdir+", path)?;
    }
    layer("upperdir", &spec.upper)?;
    layer("workdir", &spec.work)?;
    let text = |key: &str, value: &str| {
        rustix::mount::fsconfig_set_string(&context, key, value).doing(|| format!("setting `{key}` of the overlay"))
    };
    if spec.is_rootless {
        rustix::mount::fsconfig_set_flag(&context, "userxattr").doing(|| "setting `userxattr` of the overlay")?;
    } else {
        // Each of these would leave something in the layer that stands for contents in another one.
        for key in ["index", "redirect_dir", "metacopy"] {
            text(key, "off")?;
        }
    }
    // Nothing of a layer counts before its command has ended well, so nothing has to reach the disk before.
    rustix::mount::fsconfig_set_flag(&context, "volatile").doing(|| "setting `volatile` of the overlay")?;
    rustix::mount::fsconfig_create(&context)
        .map_err(|error| kernels_words(&context, error))
        .doing(|| "mounting the overlay")?;
    let attributes = if spec.is_privileged { MountAttrFlags::empty() } else { MountAttrFlags::MOUNT_ATTR_NODEV };
    let tree =
        rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).doing(|| "mounting the overlay")?;
    rustix::mount::move_mount(&tree, "", CWD, &spec.merged, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .doing(|| "mounting the overlay")
}

/// Puts what the kernel has said about a file system behind its error.
fn kernels_words(context: &OwnedFd, error: rustix::io::Errno) -> io::Error {
    let mut words = vec![0; 4096];
    match rustix::io::read(context, words.as_mut_slice()) {
        Ok(count) if count > 0 => {
            let said = String::from_utf8_lossy(&words[..count]);
            io::Error::other(format!("{error}: {}", said.trim().trim_start_matches("e ")))
        }
        _ => error.into(),
    }
}

/// The root of the file system that is being put together.
struct Root(OwnedFd);

/// A place in it, by a descriptor that no later change of the path can lead elsewhere.
struct Target(OwnedFd);

impl Target {
    fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.0.as_raw_fd())
    }
}

impl Root {
    fn open(path: &Path) -> Outcome<Self> {
        rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map(Self)
            .doing(|| "opening the root of the file system")
    }

    /// Resolves a path of the image as its processes would.
    fn find(&self, path: &str) -> Outcome<Target> {
        self.open_at(path, OFlags::PATH).map(Target).doing(|| format!("looking for {path} in the machine"))
    }

    fn open_at(&self, path: &str, flags: OFlags) -> Result<OwnedFd, rustix::io::Errno> {
        // The kernel takes a mode just for what is made.
        let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o644) } else { Mode::empty() };
        rustix::fs::openat2(&self.0, path, flags | OFlags::CLOEXEC, mode, ResolveFlags::IN_ROOT)
    }

    /// Makes a folder with those above it.
    fn make_folder(&self, path: &str) -> Outcome<()> {
        let mut done = String::new();
        for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
            let parent = if done.is_empty() { "/".to_owned() } else { done.clone() };
            done = format!("{done}/{name}");
            if self.open_at(&done, OFlags::PATH | OFlags::DIRECTORY).is_ok() {
                continue;
            }
            let parent = self.find(&parent)?;
            match rustix::fs::mkdirat(&parent.0, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => return Err(error).doing(|| format!("making the folder {path} in the machine")),
            }
        }
        Ok(())
    }

    /// Makes an empty file in a folder that is there, unless something stands there.
    fn make_file(&self, path: &str) -> Outcome<()> {
        if self.find(path).is_ok() {
            return Ok(());
        }
        let (folder, _) = path.rsplit_once('/').unwrap_or(("/", path));
        self.make_folder(folder)?;
        let made = self.open_at(path, OFlags::CREATE | OFlags::WRONLY);
        made.map(drop).doing(|| format!("making the file {path} in the machine"))
    }

    fn mount(&self, kind: &str, path: &str, flags: MountFlags, options: &str) -> Outcome<()> {
        let target = self.find(path)?;
        let options = std::ffi::CString::new(options).map_err(|_| Failure::new("an option holds a null"))?;
        rustix::mount::mount(kind, target.path(), kind, flags, options.as_c_str())
            .doing(|| format!("mounting {kind} at {path}"))
    }
}

fn bind(source: &Path, target: &Target, is_recursive: bool) -> Outcome<()> {
    let bound = if is_recursive {
        rustix::mount::mount_bind_recursive(source, target.path())
    } else {
        rustix::mount::mount_bind(source, target.path())
    };
    bound.doing(|| format!("mounting {}", source.display()))
}

/// Makes a mount at a path of the running file system read-only, whatever else it is.
fn make_read_only(path: &str) -> Result<(), rustix::io::Errno> {
    restrict(path, MountFlags::RDONLY)
}

/// Sets flags of a mount at a path of the running file system.
fn restrict(path: &str, flags: MountFlags) -> Result<(), rustix::io::Errno> {
    let flags = MountFlags::BIND | flags;
    // In a user namespace, what the machine's own mount forbids has to be forbidden again.
    let locked = MountFlags::NOSUID | MountFlags::NODEV;
    let all = [MountFlags::empty(), locked, locked | MountFlags::NOEXEC, locked | MountFlags::RDONLY];
    let mut last = Ok(());
    for more in all {
        last = rustix::mount::mount_remount(path, flags | more, "");
        if last.is_ok() {
            break;
        }
    }
    last
}

/// Mounts what a template asks for: a folder that is not there yet is made, as the usual engines do.
fn user_bind(root: &Root, wanted: &Bind, is_privileged: bool) -> Outcome<()> {
    let is_folder = match std::fs::metadata(&wanted.source) {
        Ok(found) => found.is_dir(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(&wanted.source).doing(|| format!("making {}", wanted.source.display()))?;
            true
        }
        Err(error) => return Err(error).doing(|| format!("reading {}", wanted.source.display())),
    };
    if is_folder {
        root.make_folder(&wanted.target)?;
    } else {
        root.make_file(&wanted.target)?;
    }
    bind(&wanted.source, &root.find(&wanted.target)?, true)?;
    let mut flags = if is_privileged { MountFlags::empty() } else { MountFlags::NODEV };
    flags.set(MountFlags::RDONLY, wanted.is_read_only);
    if flags.is_empty() {
        return Ok(());
    }
    // The path leads to what is mounted there now.
    let mounted = root.find(&wanted.target)?;
    restrict(&mounted.path(), flags).doing(|| format!("protecting {}", wanted.target))
}

/// Mounts `/sys`, to be read alone.
fn system_folder(root: &Root, spec: &Spec) -> Outcome<()> {
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if !spec.is_privileged {
        flags |= MountFlags::RDONLY;
    }
    match root.mount("sysfs", "/sys", flags, "") {
        Err(failure) if spec.is_rootless => {
            // The kernel shows its devices just to the owner of the network.
            let target = root.find("/sys")?;
            rustix::mount::mount_bind_recursive("/sys", target.path())
                .map_err(|_| failure)
                .and_then(|()| make_read_only(&root.find("/sys")?.path()).doing(|| "protecting /sys"))
        }
        mounted => mounted,
    }
}

/// Mounts a `/dev` with what every program expects, and with what the template asks for.
fn devices(root: &Root, spec: &Spec) -> Outcome<()> {
    let hides = if spec.is_privileged { MountFlags::empty() } else { MountFlags::NODEV };
    root.mount("tmpfs", "/dev", MountFlags::NOSUID | hides, "mode=755,size=65536k")?;
    let device = |source: &Path, target: &str| -> Outcome<()> {
        root.make_file(target)?;
        bind(source, &root.find(target)?, false)
    };
    for name in DEVICES {
        device(&Path::new("/dev").join(name), &format!("/dev/{name}"))?;
    }
    let system = MountFlags::NOSUID | MountFlags::NOEXEC;
    root.make_folder("/dev/pts")?;
    // The group of terminals has this number in every image; a user namespace may not have it.
    root.mount("devpts", "/dev/pts", system, "newinstance,ptmxmode=0666,mode=0620,gid=5")
        .or_else(|_| root.mount("devpts", "/dev/pts", system, "newinstance,ptmxmode=0666,mode=0620"))?;
    root.make_folder("/dev/shm")?;
    let size = spec.shm_bytes.unwrap_or(64 << 20);
    root.mount("tmpfs", "/dev/shm", system | MountFlags::NODEV, &format!("mode=1777,size={size}"))?;
    root.make_folder("/dev/mqueue")?;
    // A kernel may do without message queues.
    let _ = root.mount("mqueue", "/dev/mqueue", system | MountFlags::NODEV, "");
    let folder = root.find("/dev")?;
    for (name, leads_to) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        rustix::fs::symlinkat(leads_to, &folder.0, name).doing(|| format!("making /dev/{name}"))?;
    }
    if spec.is_privileged {
        for entry in std::fs::read_dir("/dev").doing(|| "reading /dev")?.filter_map(Result::ok) {
            let is_device = entry.file_type().is_ok_and(|kind| kind.is_char_device() || kind.is_block_device());
            let target = format!("/dev/{}", entry.file_name().to_string_lossy());
            if is_device && root.find(&target).is_err() {
                device(&entry.path(), &target)?;
            }
        }
    }
    for wanted in &spec.devices {
        device(&wanted.source, &wanted.target)?;
    }
    Ok(())
}

/// Hides what tells too much, and protects what would change the machine.
fn mask() -> Outcome<()> {
    for path in MASKED {
        let Ok(found) = std::fs::metadata(path) else { continue };
        let hidden = if found.is_dir() {
            rustix::mount::mount("tmpfs", *path, "tmpfs", MountFlags::RDONLY | MountFlags::NOEXEC, None)
        } else {
            rustix::mount::mount_bind("/dev/null", *path)
        };
        hidden.doing(|| format!("hiding {path}"))?;
    }
    for path in READ_ONLY {
        if std::fs::metadata(path).is_ok() {
            rustix::mount::mount_bind_recursive(*path, *path)
                .and_then(|()| make_read_only(path))
                .doing(|| format!("protecting {path}"))?;
        }
    }
    Ok(())
}

/// Splits a memory file system's options into the kernel's flags and the file system's own words.
fn tmpfs_options(options: &str) -> (MountFlags, String) {
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let mut own = Vec::new();
    for word in options.split(',').filter(|word| !word.is_empty()) {
        match word {
            "exec" => flags -= MountFlags::NOEXEC,
            "noexec" => flags |= MountFlags::NOEXEC,
            "suid" => flags -= MountFlags::NOSUID,
            "nosuid" => flags |= MountFlags::NOSUID,
            "dev" => flags -= MountFlags::NODEV,
            "nodev" => flags |= MountFlags::NODEV,
            "ro" => flags |= MountFlags::RDONLY,
            "rw" => flags -= MountFlags::RDONLY,
            other => own.push(other),
        }
    }
    (flags, own.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_memory_file_systems_split_into_flags_and_words() {
        let (flags, words) = tmpfs_options("rw,exec,size=64m,mode=1777");
        assert_eq!(words, "size=64m,mode=1777");
        assert_eq!(flags, MountFlags::NOSUID | MountFlags::NODEV);
    }
}
