//! Purchase Fleet.
