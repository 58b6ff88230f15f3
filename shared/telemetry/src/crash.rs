//! Crash points: named places where a test lets a program end itself, at the n-th time that it
//! comes by. `FLEET_CRASHPOINT=reserve/claim.after:1` names scope, point and count; `:panic` or
//! `:term` behind it in place of SIGKILL.
//!
//! They exist only in builds with debug assertions and the feature `crashpoints`, which the testkit
//! turns on. In every other build each call is an empty function and the variable means nothing.

/// Whether this build has crash points.
pub const HAS_CRASH_POINTS: bool = cfg!(all(feature = "crashpoints", debug_assertions));

#[cfg(all(feature = "crashpoints", debug_assertions))]
mod armed;

#[cfg(all(feature = "crashpoints", debug_assertions))]
pub use armed::{arm, crash_point, is_armed};

/// Nothing: this build has no crash points.
#[cfg(not(all(feature = "crashpoints", debug_assertions)))]
#[inline]
pub const fn crash_point(_scope: &str, _point: &str) {}

/// False: this build has no crash points.
#[cfg(not(all(feature = "crashpoints", debug_assertions)))]
#[must_use]
#[inline]
pub const fn is_armed(_scope: &str, _point: &str) -> bool {
    false
}

/// Nothing: this build has no crash points.
///
/// # Errors
/// None.
#[cfg(not(all(feature = "crashpoints", debug_assertions)))]
pub const fn arm() -> Result<(), crate::TelemetryError> {
    Ok(())
}
