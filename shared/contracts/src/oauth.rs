//! Security Service: an access token for a client's id and secret (contracts, section 1, "Auth").

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The only `grant_type`.
pub const CLIENT_CREDENTIALS: &str = "client_credentials";

/// The form that asks for an access token.
#[derive(Deserialize, JsonSchema)]
pub struct TokenRequest {
    /// The client's number; not needed where `Authorization: Basic` shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub client_id: Option<String>,
    /// One of its secrets; never beside `Authorization: Basic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub client_secret: Option<String>,
    /// `client_credentials`.
    #[schemars(extend("const" = CLIENT_CREDENTIALS))]
    pub grant_type: String,
}

impl std::fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenRequest([private])")
    }
}

/// An access token.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct TokenReply {
    /// To be sent as `Authorization: Bearer …`.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds that it is valid for.
    pub expires_in: u64,
}

impl std::fmt::Debug for TokenReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenReply([private])")
    }
}

/// Why there is no token, in the words of OAuth 2 (RFC 6749, section 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRefusal {
    /// `invalid_request`, `invalid_client` or `unsupported_grant_type`.
    pub error: String,
    /// For people; never a value.
    pub error_description: String,
}
