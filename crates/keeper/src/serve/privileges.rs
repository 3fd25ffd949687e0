//! From root in its container to a user of its own with three capabilities: what it takes to keep the agent's home,
//! which belongs to another user. Done before any thread is started, because capabilities belong to threads.

use protocol::bridge::{AGENT_UID, KEEPER_UID};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::Args;
use crate::home::Owner;

/// What is kept: to give files to the agent, and to read and write what is the agent's.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER);
/// The highest capability that Linux knows today; the kernel refuses the ones it does not know.
const CAPABILITIES: u32 = 41;

/// Why the keeper does not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrivilegeError {
    #[error("{step}: {errno}")]
    Kernel { step: &'static str, errno: Errno },
    #[error("the keeper starts as root in its container, or with --keep-user")]
    NotRoot,
    #[error("the vault's folder could not be given to the keeper: {0}")]
    Vault(std::io::Error),
}

fn step(step: &'static str) -> impl Fn(Errno) -> PrivilegeError {
    move |errno| PrivilegeError::Kernel { step, errno }
}

/// Gives up everything but [`KEPT`]; says who owns the agent's files.
pub(super) fn give_up(args: &Args) -> Result<Owner, PrivilegeError> {
    let uid = rustix::process::getuid();
    let owner = if args.keep_user {
        Owner {
            uid: uid.as_raw(),
            gid: rustix::process::getgid().as_raw(),
        }
    } else {
        if !uid.is_root() {
            return Err(PrivilegeError::NotRoot);
        }
        std::os::unix::fs::chown(&args.vault, Some(KEEPER_UID), Some(KEEPER_UID)).map_err(PrivilegeError::Vault)?;
        become_keeper()?;
        Owner {
            uid: AGENT_UID,
            gid: AGENT_UID,
        }
    };
    stay_out_of_dumps()?;
    set_no_new_privs(true).map_err(step("no new privileges"))?;
    Ok(owner)
}

fn become_keeper() -> Result<(), PrivilegeError> {
    // Without CAP_SETPCAP the bounding set stays; nothing is executed afterwards that could use it.
    for number in 0..CAPABILITIES {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if !KEPT.contains(capability) && matches!(remove_capability_from_bounding_set(capability), Err(Errno::PERM)) {
            break;
        }
    }
    set_keep_capabilities(true).map_err(step("keeping capabilities"))?;
    let (uid, gid) = (Uid::from_raw(KEEPER_UID), Gid::from_raw(KEEPER_UID));
    set_thread_groups(&[]).map_err(step("leaving groups"))?;
    set_thread_res_gid(gid, gid, gid).map_err(step("changing the group"))?;
    set_thread_res_uid(uid, uid, uid).map_err(step("changing the user"))?;
    let sets = CapabilitySets {
        effective: KEPT,
        permitted: KEPT,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(step("giving up capabilities"))?;
    // Old kernels have no ambient set to clear.
    match clear_ambient_capability_set() {
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(errno) => Err(step("clearing ambient capabilities")(errno)),
    }
}

/// No core dump, no tracing, and no swap where the limit allows it.
fn stay_out_of_dumps() -> Result<(), PrivilegeError> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(step("refusing dumps"))?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(step("refusing core files"))?;
    // Under a limit, locking all memory would make allocation fail instead.
    if getrlimit(Resource::Memlock).current.is_none() {
        mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
            .map_err(step("locking memory"))?;
    }
    Ok(())
}
