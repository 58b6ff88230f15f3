//! The fraud desk's transaction report (contracts, section 4).

use fleet_domain::{FraudDetails, Purchase, PurchaseStatus};
use serde::Deserialize;

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// `activation_successful`.
    pub success: bool,
    /// One of the desk's seven reasons, only when not successful.
    pub failure_reason: Option<&'static str>,
}

impl Report {
    /// The report that a purchase calls for: `True` once dispensed, a reason once it failed, and
    /// nothing while it is pending or unknown.
    #[must_use]
    pub fn of(purchase: &Purchase) -> Option<Self> {
        let progress = &purchase.progress;
        match purchase.status() {
            PurchaseStatus::Success => Some(Self { success: true, failure_reason: None }),
            PurchaseStatus::Pending => None,
            PurchaseStatus::Failed => {
                let code = progress.dispense_code.as_deref().or(progress.reserve_code.as_deref());
                let reason = crate::codes::failure_reason(code.unwrap_or_default());
                Some(Self { success: false, failure_reason: Some(reason) })
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
            fields.push(("failure_reason", reason.to_owned()));
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

/// The desk's answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DeskReply {
    /// Truthy (`true`, `1`, `"1"`, `"True"`) means delivered; 0 inside HTTP 200 is an error.
    #[serde(deserialize_with = "truthy")]
    pub success: bool,
    /// For people; never logged.
    #[serde(default)]
    pub message: String,
}

fn truthy<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(match value {
        serde_json::Value::Bool(yes) => yes,
        serde_json::Value::Number(number) => number.as_i64() == Some(1),
        serde_json::Value::String(text) => matches!(text.as_str(), "1" | "true" | "True"),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            false
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_inside_a_200_is_an_error() {
        let read = |text: &str| serde_json::from_str::<DeskReply>(text).map(|reply| reply.success);
        for text in [r#"{"success":true}"#, r#"{"success":1}"#, r#"{"success":"True"}"#] {
            assert!(read(text).unwrap(), "{text}");
        }
        for text in [r#"{"success":0}"#, r#"{"success":false}"#, r#"{"success":null}"#] {
            assert!(!read(text).unwrap(), "{text}");
        }
        assert!(read("{}").is_err());
    }
}
