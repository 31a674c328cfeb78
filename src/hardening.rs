//! What the process does for the secrets in its memory before anything else: no core dump holds it, and no other process
//! of the same user may look into it.
//!
//! Memory cannot be locked without `unsafe`: against swap SECURITY.md says what an operator does.

use std::io;

/// Before any secret is read.
pub(crate) fn harden() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_leaves_no_dump() {
        use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
        super::harden().expect("it may give up rights of its own");
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        assert_eq!(dumpable_behavior().expect("an answer"), DumpableBehavior::NotDumpable);
    }
}
