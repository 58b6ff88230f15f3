//! The fraud desk's transaction report and token validation (contracts, section 4).

use fleet_domain::{
    DeskToken, Directory, DispenseState, FailureReason, FraudDetails, INVALID_TOKEN, Purchase,
    PurchaseStatus, TokenVerdict,
};

use crate::told::{FromTold, Told, Unreadable};

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// `activation_successful`.
    pub success: bool,
    /// One of the desk's seven reasons, only when not successful.
    pub failure_reason: Option<FailureReason>,
}

impl Report {
    /// The report that a purchase calls for: `True` once dispensed, a reason once it failed, and
    /// nothing while it is pending or unknown.
    #[must_use]
    pub fn of(directory: &Directory, purchase: &Purchase) -> Option<Self> {
        match purchase.status() {
            PurchaseStatus::Success => Some(Self { success: true, failure_reason: None }),
            PurchaseStatus::Pending => None,
            PurchaseStatus::Failed => {
                Some(Self { success: false, failure_reason: Some(reason(directory, purchase)) })
            }
        }
    }

    /// The fields of the multipart form, without `api_key`.
    #[must_use]
    pub fn fields(&self, purchase: &Purchase, fraud: &FraudDetails) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("token", fraud.token.clone().unwrap_or_default()),
            ("activation_successful", if self.success { "True" } else { "False" }.to_owned()),
        ];
        if let Some(reason) = self.failure_reason {
            fields.push(("failure_reason", reason.name().to_owned()));
        }
        let product = purchase.order.product.to_string();
        let external_product = fraud.external_product_id.clone().unwrap_or(product);
        let optional = [
            ("price_point", fraud.price_point.clone()),
            ("billing_frequency", fraud.billing_frequency.clone()),
            ("shortcode", fraud.shortcode.clone()),
            ("external_user_id", fraud.external_user_id.clone()),
            ("external_product_id", Some(external_product)),
        ];
        fields.extend(optional.into_iter().filter_map(|(name, text)| Some((name, text?))));
        fields
    }
}

/// Why a purchase failed, by the imported map: the word of whoever refused, then the code that it
/// was taken for.
fn reason(directory: &Directory, purchase: &Purchase) -> FailureReason {
    let (order, progress) = (&purchase.order, &purchase.progress);
    // A token says nothing about the buyer's number, which the row of its code is for.
    if progress.reserve_word.as_deref() == Some(INVALID_TOKEN) {
        let desk = order.fraud_token().and_then(|(fraud, _)| fraud.desk.as_deref());
        let row = directory.reason(desk.unwrap_or("*"), INVALID_TOKEN);
        return row.unwrap_or(FailureReason::TechnicalFault);
    }
    let (connector, codes) = if progress.dispense == DispenseState::Failed {
        (&order.supplier, [progress.supplier_code.as_ref(), progress.dispense_code.as_ref()])
    } else {
        (&order.funding_source, [None, progress.reserve_code.as_ref()])
    };
    let mut reasons = codes.into_iter().flatten().filter_map(|c| directory.reason(connector, c));
    reasons.next().unwrap_or(FailureReason::TechnicalFault)
}

/// The desk's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskReply {
    /// Truthy (`true`, `1`, `"1"`, `"True"`) means delivered; 0 inside HTTP 200 is an error.
    pub success: bool,
    /// Its word for it.
    pub status: String,
    /// For people; never logged.
    pub message: String,
}

impl FromTold for DeskReply {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        Ok(Self {
            success: match told.yes_or_no("success") {
                Ok(yes) => yes,
                Err(error) if told.names().all(|name| name != "success") => return Err(error),
                // What is not clearly a yes was not taken.
                Err(_) => false,
            },
            status: told.words("status"),
            message: told.words("message"),
        })
    }
}

/// The fields of a token's validation, without `api_key`. A repeat carries the same timestamp: the
/// first purchase's, else the Unix time at which we first knew the token.
#[must_use]
pub fn validate_fields(token: &DeskToken, fraud: &FraudDetails) -> Vec<(&'static str, String)> {
    let stored = token.validate_timestamp.clone().filter(|text| !text.is_empty());
    let timestamp = stored.unwrap_or_else(|| token.known_at.timestamp().to_string());
    vec![
        ("timestamp", timestamp),
        ("user_ip", fraud.user_ip.clone().unwrap_or_default()),
        ("user_agent", fraud.user_agent.clone().unwrap_or_default()),
        ("token", fraud.token.clone().unwrap_or_default()),
    ]
}

/// The desk's word on a token. What is not clearly a yes or a no is unreadable, never either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidateReply {
    /// True, false, 1 or 0, also as text.
    pub is_valid: bool,
    /// The bits of what speaks against it.
    pub threat_code: Option<i64>,
    /// Their names, joined by `#!|`.
    pub threat_flags: Option<String>,
}

impl FromTold for ValidateReply {
    fn from_told(told: &Told) -> Result<Self, Unreadable> {
        Ok(Self {
            is_valid: told.yes_or_no("is_valid")?,
            threat_code: told.minor("threat_code").unwrap_or_default(),
            threat_flags: Some(told.words("threat_flags")).filter(|text| !text.is_empty()),
        })
    }
}

impl From<ValidateReply> for TokenVerdict {
    fn from(reply: ValidateReply) -> Self {
        Self {
            is_valid: reply.is_valid,
            threat_code: reply.threat_code.unwrap_or(0),
            threat_flags: reply.threat_flags.unwrap_or_default().chars().filter(is_flag).collect(),
        }
    }
}

/// Whatever else a desk may send is no name of a flag and goes nowhere.
fn is_flag(c: &char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '#' | '!' | '|')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::told::read_told;

    #[test]
    fn a_token_is_valid_or_not_or_the_answer_is_unreadable() {
        let read = |text: &str| read_told::<ValidateReply>(text.as_bytes());
        let reply = read(r#"{"is_valid":0,"threat_code":"520","threat_flags":"A#!|B"}"#).unwrap();
        assert_eq!((reply.is_valid, reply.threat_code), (false, Some(520)));
        assert!(read(r#"{"is_valid":"True"}"#).unwrap().is_valid);
        for text in ["{}", r#"{"is_valid":null}"#, r#"{"is_valid":"maybe"}"#, r#"{"is_valid":2}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn zero_inside_a_200_is_an_error() {
        let read = |text: &str| read_told::<DeskReply>(text.as_bytes()).map(|reply| reply.success);
        for text in [r#"{"success":true}"#, r#"{"success":1}"#, r#"{"success":"True"}"#] {
            assert!(read(text).unwrap(), "{text}");
        }
        for text in [r#"{"success":0}"#, r#"{"success":false}"#, r#"{"success":null}"#] {
            assert!(!read(text).unwrap(), "{text}");
        }
        assert!(read("{}").is_err());
    }
}
