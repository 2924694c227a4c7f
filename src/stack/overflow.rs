//! The report of a stack overflow. (placeholder)
use super::Stack;
pub(crate) struct Running {
    pub(crate) stack: Stack,
    pub(crate) id: u64,
    pub(crate) name: Option<*const str>,
}
pub(crate) fn prepare_thread(_d: fn() -> Option<Running>) {}
