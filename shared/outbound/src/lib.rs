//! Requests to banks, suppliers and clients: each is sent at most once, and every failure says
//! whether anything can have left.
//!
//! [`SendError::NotSent`] is promised only while no connection for the request was open, so that
//! not one of its bytes can have left; everything that goes wrong later is
//! [`SendError::Unknown`]. This crate never repeats a request, follows no redirect, asks no
//! proxy, reads no endless body, and connects to no address that the [`AddressPolicy`] of the
//! call does not allow. Its errors and debug output hold no query, header, credential or body.

mod call;
mod cause;
mod clients;
mod credentials;
mod handover;
mod personal;
mod resolver;
mod retry_after;
mod send;
mod signature;
#[cfg(test)]
mod tests;

pub use call::{Body, Call, Counts, Method, Reply, Reuse};
pub use cause::{Cause, SendError, SetupError};
pub use credentials::{Credentials, Identity, is_header};
pub use fleet_domain::{AddressPolicy, Blocked};
pub use personal::{AES_256_KEY_BYTES, encrypt_aes_256_gcm};
pub use send::{BODY_BYTES_MAX, CONNECT_SECONDS_MAX, Carried, Carry, FirstByte, Outbound};
pub use signature::{hmac_sha256_base64, verify_signature};
