//! No panic crosses into Python.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::errors::{Fault, Kind, Outcome};

/// Run a call; a panic in it becomes an error like any other.
pub fn guarded<T>(call: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err(Fault::new(
            Kind::Internal,
            "the MLS library failed on this input",
        ))
    })
}
