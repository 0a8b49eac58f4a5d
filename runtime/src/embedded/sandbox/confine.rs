//! What a sandbox's processes may not do: capabilities that are taken away and system calls that are refused.
//!
//! The defaults are those of the usual engines: fourteen capabilities, and no call that reaches the kernel's own
//! workings or makes a user namespace, in which all of them would come back.

use std::collections::BTreeMap;

use rustix::thread::{CapabilitySet, CapabilitySets};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::embedded::process::filter_calls;
use crate::embedded::trouble::{Doing as _, refused};
use crate::failure::{Failure, Outcome};

/// What root of a sandbox may do if nobody says otherwise.
pub const DEFAULT_CAPABILITIES: &[&str] = &[
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Works out what is left of the default capabilities after `cap_add` and `cap_drop`.
pub fn capabilities(add: &[String], drop: &[String]) -> Outcome<Vec<String>> {
    let plain = |name: &String| {
        let upper = name.to_ascii_uppercase();
        upper.strip_prefix("CAP_").map_or(upper.clone(), str::to_owned)
    };
    let (add, drop): (Vec<String>, Vec<String>) = (add.iter().map(plain).collect(), drop.iter().map(plain).collect());
    for name in add.iter().chain(&drop).filter(|name| *name != "ALL") {
        bit(name)?;
    }
    let all = |names: &[String]| names.iter().any(|name| name == "ALL");
    let mut kept: Vec<String> = match (all(&add), all(&drop)) {
        (true, _) => CapabilitySet::all().iter_names().map(|(name, _)| name.to_owned()).collect(),
        (false, true) => Vec::new(),
        (false, false) => DEFAULT_CAPABILITIES.iter().map(|name| (*name).to_owned()).collect(),
    };
    kept.retain(|name| !drop.contains(name));
    kept.extend(add.into_iter().filter(|name| name != "ALL"));
    kept.sort_unstable();
    kept.dedup();
    Ok(kept)
}

fn bit(name: &str) -> Outcome<CapabilitySet> {
    CapabilitySet::from_name(name)
        .ok_or_else(|| Failure::new(format!("`{name}` is no capability")).help("see capabilities(7) for their names"))
}

/// Turns names into a set.
pub fn set_of(names: &[String]) -> Outcome<CapabilitySet> {
    names.iter().try_fold(CapabilitySet::empty(), |set, name| Ok(set | bit(name)?))
}

/// Gives up all capabilities but these, for good and for all children.
pub fn keep_capabilities(kept: CapabilitySet) -> Outcome<()> {
    for capability in CapabilitySet::all() {
        if kept.contains(capability) {
            continue;
        }
        // The kernel may know fewer of them than this program.
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(refused(&error).context("giving up capabilities")),
        }
    }
    // Those that the kernel does not know cannot be asked for.
    let has = rustix::thread::capabilities(None).doing(|| "reading capabilities")?;
    let kept = has.permitted & kept;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).doing(|| "giving up capabilities")
}

/// Calls that are refused to everybody in a sandbox.
const REFUSED: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Calls of [`REFUSED`] that a capability gives back, as the usual engines have it.
const GIVEN_BACK: &[(CapabilitySet, &[i64])] = &[
    (
        CapabilitySet::SYS_ADMIN,
        &[
            libc::SYS_bpf,
            libc::SYS_fsconfig,
            libc::SYS_fsmount,
            libc::SYS_fsopen,
            libc::SYS_fspick,
            libc::SYS_lookup_dcookie,
            libc::SYS_mount,
            libc::SYS_mount_setattr,
            libc::SYS_move_mount,
            libc::SYS_name_to_handle_at,
            libc::SYS_open_tree,
            libc::SYS_perf_event_open,
            libc::SYS_pivot_root,
            libc::SYS_quotactl,
            libc::SYS_setns,
            libc::SYS_syslog,
            libc::SYS_umount2,
            libc::SYS_unshare,
        ],
    ),
    (CapabilitySet::SYS_BOOT, &[libc::SYS_reboot, libc::SYS_kexec_load, libc::SYS_kexec_file_load]),
    (CapabilitySet::SYS_MODULE, &[libc::SYS_delete_module, libc::SYS_init_module, libc::SYS_finit_module]),
    (CapabilitySet::SYS_PACCT, &[libc::SYS_acct]),
    (CapabilitySet::SYS_PTRACE, &[libc::SYS_process_vm_readv, libc::SYS_process_vm_writev]),
    (CapabilitySet::SYS_TIME, &[libc::SYS_settimeofday, libc::SYS_clock_settime, libc::SYS_clock_adjtime]),
    (CapabilitySet::SYS_TTY_CONFIG, &[libc::SYS_vhangup]),
    (CapabilitySet::SYSLOG, &[libc::SYS_syslog]),
    (CapabilitySet::DAC_READ_SEARCH, &[libc::SYS_open_by_handle_at]),
    (CapabilitySet::PERFMON, &[libc::SYS_perf_event_open]),
    (CapabilitySet::BPF, &[libc::SYS_bpf]),
    (CapabilitySet::SYS_NICE, &[libc::SYS_move_pages]),
];

/// What `clone` must not make: namespaces of any kind.
const NAMESPACES: u64 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u64;

/// Refuses system calls that are none of a sandbox's business.
pub fn restrict_calls(kept: CapabilitySet) -> Outcome<()> {
    let given_back = |call: &i64| GIVEN_BACK.iter().any(|(bit, calls)| kept.contains(*bit) && calls.contains(call));
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().copied().map(|call| (call, Vec::new())).collect();
    rules.retain(|call, _| !given_back(call));
    let mut programs = Vec::new();
    if !kept.contains(CapabilitySet::SYS_ADMIN) {
        // Each kind by itself: the condition holds when the masked bits equal the value.
        let mut forbidden = Vec::new();
        for kind in (0..64).map(|bit| 1u64 << bit).filter(|kind| NAMESPACES & kind != 0) {
            let makes = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(kind), kind);
            let rule = makes.and_then(|condition| SeccompRule::new(vec![condition]));
            forbidden.push(rule.map_err(|error| refused(&error))?);
        }
        rules.insert(libc::SYS_clone, forbidden);
        // Its flags lie in memory, out of a filter's sight. Libraries that are told that there is no such call take
        // the older one.
        let newer = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        programs.push(compile(newer, libc::ENOSYS)?);
    }
    programs.push(compile(rules, libc::EPERM)?);
    for program in &programs {
        filter_calls(program).doing(|| "installing the filter of system calls")?;
    }
    Ok(())
}

fn compile(rules: BTreeMap<i64, Vec<SeccompRule>>, error: i32) -> Outcome<BpfProgram> {
    let arch = std::env::consts::ARCH.try_into().map_err(|error: seccompiler::BackendError| refused(&error))?;
    let answer = SeccompAction::Errno(error.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, answer, arch)
        .and_then(BpfProgram::try_from)
        .map_err(|error| refused(&error).context("making the filter of system calls"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn capabilities_are_added_and_dropped_by_name_or_all_at_once() {
        let count = |add: &[&str], drop: &[&str]| capabilities(&words(add), &words(drop)).expect("are known").len();
        assert_eq!(count(&[], &[]), 14);
        assert_eq!(count(&["CAP_SYS_ADMIN"], &["chown"]), 14);
        assert_eq!(count(&["net_admin"], &["ALL"]), 1);
        assert_eq!(count(&["ALL"], &["SYS_ADMIN"]), count(&["ALL"], &[]) - 1);
        assert!(count(&["ALL"], &[]) > 38);
        assert!(capabilities(&words(&["FLYING"]), &[]).is_err());
    }

    #[test]
    fn the_filters_compile() {
        let rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
        assert_eq!(rules.len(), REFUSED.len(), "each stands there once");
        compile(rules, libc::EPERM).expect("is a program");
    }
}
