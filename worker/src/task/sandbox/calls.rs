//! Seccomp: the system calls that decoding and encoding need are allowed, by list; any other is refused with EPERM, and those
//! that only an attacker makes end the process. Landlock does not know UDP, so `socket` is refused here.
//!
//! The list was checked over the whole corpus: a call of libav or glibc that is missing shows in `strace -f` as EPERM.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use super::SandboxError;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Allowed whatever their arguments. None of them reaches another process, the network, or a file that is not open;
/// those that take a path meet landlock.
const ALLOWED: &[i64] = &[
    // reading and writing
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    // files of the working directory
    libc::SYS_openat,
    libc::SYS_unlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    // memory; `mmap` and `mprotect` have conditions
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    // threads; `clone` has a condition, and `clone3` is said not to exist
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // signals of its own
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // time, chance, and what the machine is like
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getcpu,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getpriority,
];

/// The same by the names that only older architectures have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[i64] = &[libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_unlink, libc::SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[i64] = &[];

/// No decoder makes these by mistake, so whoever does has taken it over.
const DEADLY: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_open_by_handle_at,
    libc::SYS_pidfd_getfd,
];

/// Installs the filters for the calling thread and all that it starts.
pub(super) fn shut() -> Result<(), SandboxError> {
    let failed = |error: &dyn std::fmt::Display| SandboxError::Calls(error.to_string());
    for filter in filters().map_err(|error| failed(&error))? {
        apply_filter(&filter).map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Of several filters the sternest answer holds. The list comes last, for it forbids to install more.
fn filters() -> Result<[BpfProgram; 3], BackendError> {
    Ok([
        compile(deadly(), SeccompAction::Allow, SeccompAction::KillProcess)?,
        // Its flags lie in memory, where no filter sees them. glibc then makes threads with `clone`.
        compile([(libc::SYS_clone3, Vec::new())].into(), SeccompAction::Allow, errno(libc::ENOSYS))?,
        compile(allowed()?, errno(libc::EPERM), SeccompAction::Allow)?,
    ])
}

fn errno(number: i32) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

fn compile(rules: Rules, otherwise: SeccompAction, action: SeccompAction) -> Result<BpfProgram, BackendError> {
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, otherwise, action, architecture)?.try_into()
}

fn deadly() -> Rules {
    DEADLY.iter().map(|call| (*call, Vec::new())).collect()
}

fn allowed() -> Result<Rules, BackendError> {
    let plain = ALLOWED.iter().chain(ALLOWED_HERE).map(|call| (*call, Vec::new()));
    let mut rules: Rules = plain.collect();
    // Threads, never processes.
    let thread = libc::CLONE_THREAD.unsigned_abs().into();
    rules.insert(libc::SYS_clone, when(&[(0, SeccompCmpOp::MaskedEq(thread), thread)])?);
    // No memory that was written becomes code.
    let code = libc::PROT_EXEC.unsigned_abs().into();
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, when(&[(2, SeccompCmpOp::MaskedEq(code), 0)])?);
    }
    // Limits may be read, not changed.
    rules.insert(libc::SYS_prlimit64, when(&[(2, SeccompCmpOp::Eq, 0)])?);
    rules.insert(libc::SYS_prctl, when(&[(0, SeccompCmpOp::Eq, libc::PR_SET_NAME.unsigned_abs().into())])?);
    // x264 puts its look-ahead behind its encoders.
    rules.insert(
        libc::SYS_setpriority,
        when(&[(0, SeccompCmpOp::Eq, u64::from(libc::PRIO_PROCESS)), (1, SeccompCmpOp::Eq, 0)])?,
    );
    // `abort` ends the process by a signal to itself.
    rules.insert(libc::SYS_tgkill, when(&[(0, SeccompCmpOp::Eq, std::process::id().into())])?);
    Ok(rules)
}

/// One rule of conditions on 64-bit arguments, all of which must hold.
fn when(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<Vec<SeccompRule>, BackendError> {
    let conditions: Result<Vec<_>, _> = conditions
        .iter()
        .map(|(argument, is, value)| SeccompCondition::new(*argument, SeccompCmpArgLen::Qword, is.clone(), *value))
        .collect();
    Ok(vec![SeccompRule::new(conditions?)?])
}

#[cfg(test)]
mod tests;
