//! Landlock: below the working directory files may be read, made, written and removed; nothing else can be opened, run or
//! connected to by name. Descriptors that are open already go on working, which is how the source gets in.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::SandboxError;

/// The newest interface that is asked for; an older kernel gives what it has.
const NEWEST: ABI = ABI::V7;

/// Gives the version of the interface that holds.
pub(super) fn shut() -> Result<u32, SandboxError> {
    let here = PathFd::new(".").map_err(|error| SandboxError::Files(error.to_string()))?;
    let status = restrict(here).map_err(|error| SandboxError::Files(error.to_string()))?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => {
            Err(SandboxError::Files("the kernel has it switched off (see the boot parameter lsm=)".to_owned()))
        }
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok(effective_abi as u32),
        _ => Err(SandboxError::Files("the kernel does not have it (Linux 5.13 does)".to_owned())),
    }
}

fn restrict(here: PathFd) -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rule(PathBeneath::new(here, allowed()))?
        .restrict_self()
}

/// Nothing is run, and of what can be made only plain files.
fn allowed() -> BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::MakeReg
        | AccessFs::RemoveFile
        | AccessFs::Truncate
}
