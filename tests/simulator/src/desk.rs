//! A fraud desk: it takes reports on tokens, and validates tokens. It names no purchase.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bank::Reply;
use crate::behaviour::Behaviour;
use crate::judge;
use crate::record::EffectKind;
use crate::state::{State, Visit};

/// The only reasons that the desk knows.
const REASONS: [&str; 7] = [
    "no_credit",
    "vas_bar",
    "blacklisted_msisdn",
    "child_bar",
    "technical_fault",
    "billing_frequency",
    "service_suspended",
];

/// What the desk knows of a token.
#[derive(Debug, Default)]
pub(crate) struct Token {
    success: bool,
    reports_in_flight: u32,
    record: TokenRecord,
}

/// What the desk was told and asked about a token, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TokenRecord {
    /// Reports that it took.
    pub reports: Vec<ReportTold>,
    /// The timestamp of each validation.
    pub validations: Vec<String>,
}

/// A report that the desk took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are the document's own")]
pub struct ReportTold {
    pub activation_successful: bool,
    pub failure_reason: Option<String>,
    pub msisdn: Option<String>,
    pub price_point: Option<String>,
    pub billing_frequency: Option<String>,
    pub shortcode: Option<String>,
    pub external_user_id: Option<String>,
    pub external_product_id: Option<String>,
}

/// A report's form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReportForm {
    pub(crate) api_key: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) activation_successful: Option<String>,
    pub(crate) failure_reason: Option<String>,
    pub(crate) msisdn: Option<String>,
    pub(crate) price_point: Option<String>,
    pub(crate) billing_frequency: Option<String>,
    pub(crate) shortcode: Option<String>,
    pub(crate) external_user_id: Option<String>,
    pub(crate) external_product_id: Option<String>,
}

impl ReportForm {
    /// Keeps one field; the others that the desk knows have no rule.
    pub(crate) fn set(&mut self, name: &str, text: String) {
        match name {
            "api_key" => self.api_key = Some(text),
            "token" => self.token = Some(text),
            "activation_successful" => self.activation_successful = Some(text),
            "failure_reason" => self.failure_reason = Some(text),
            "msisdn" => self.msisdn = Some(text),
            "price_point" => self.price_point = Some(text),
            "billing_frequency" => self.billing_frequency = Some(text),
            "shortcode" => self.shortcode = Some(text),
            "external_user_id" => self.external_user_id = Some(text),
            "external_product_id" => self.external_product_id = Some(text),
            _ => {}
        }
    }

    pub(crate) fn problem(&self) -> Option<&'static str> {
        let success = self.activation_successful.as_deref();
        let reason = self.failure_reason.as_deref();
        let short = |text: &Option<String>| {
            text.as_ref().is_none_or(|text| (1..=128).contains(&text.chars().count()))
        };
        let checks = [
            (self.api_key.is_some(), "api_key is missing"),
            (self.token.as_ref().is_some_and(|token| !token.is_empty()), "token is missing"),
            (
                matches!(success, Some("True" | "False")),
                "activation_successful must be True or False",
            ),
            (
                reason.is_none_or(|reason| REASONS.contains(&reason)),
                "failure_reason is none of the seven",
            ),
            (
                success == Some("False") || reason.is_none(),
                "failure_reason goes with activation_successful False only",
            ),
            (short(&self.external_user_id), "external_user_id must have 1 to 128 characters"),
            (short(&self.external_product_id), "external_product_id must have 1 to 128 characters"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map(|(_, problem)| problem)
    }

    fn told(&self) -> ReportTold {
        let form = self.clone();
        ReportTold {
            activation_successful: self.is_success(),
            failure_reason: form.failure_reason,
            msisdn: form.msisdn,
            price_point: form.price_point,
            billing_frequency: form.billing_frequency,
            shortcode: form.shortcode,
            external_user_id: form.external_user_id,
            external_product_id: form.external_product_id,
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        self.activation_successful.as_deref() == Some("True")
    }
}

/// A validation's form.
#[derive(Deserialize)]
pub(crate) struct ValidateForm {
    pub(crate) api_key: String,
    pub(crate) timestamp: String,
    pub(crate) user_ip: String,
    pub(crate) user_agent: String,
    pub(crate) token: String,
}

impl ValidateForm {
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let all = [&self.api_key, &self.timestamp, &self.user_ip, &self.user_agent, &self.token];
        all.iter().any(|text| text.is_empty()).then_some("a field is empty")
    }
}

impl State {
    fn token(&mut self, visit: &Visit) -> &mut Token {
        self.tokens.entry(Arc::clone(&visit.purchase)).or_default()
    }

    pub(crate) fn token_record(&self, token: &str) -> Option<&TokenRecord> {
        self.tokens.get(token).map(|token| &token.record)
    }

    /// False for a second report while one is being served: it is refused.
    pub(crate) fn report_arrives(&mut self, visit: &Visit) -> bool {
        let token = self.token(visit);
        token.reports_in_flight = token.reports_in_flight.saturating_add(1);
        let in_flight = token.reports_in_flight;
        if in_flight > 1 {
            let detail = format!("{in_flight} reports at the same time");
            self.violate(visit, judge::REPORTS_AT_ONCE, detail);
        }
        in_flight == 1
    }

    pub(crate) fn report_leaves(&mut self, visit: &Visit) {
        let token = self.token(visit);
        token.reports_in_flight = token.reports_in_flight.saturating_sub(1);
    }

    /// A report, at the instant of its effect.
    pub(crate) fn report(
        &mut self,
        visit: &Visit,
        form: &ReportForm,
        behaviour: &Behaviour,
    ) -> Reply {
        let success = form.is_success();
        let token = self.token(visit);
        if token.success && !success {
            let detail = "activation_successful False after True".to_owned();
            self.violate(visit, judge::REPORT_TURNED_BACK, detail);
        }
        if behaviour.effect {
            let token = self.token(visit);
            token.success |= success;
            token.record.reports.push(form.told());
            let told = form.activation_successful.as_deref().map(Arc::from);
            self.effect(visit, EffectKind::Report, 0, told);
        }
        let taken = behaviour.answer.code() == Some("0000");
        let word = if taken { "ok" } else { "error" };
        Reply::ok(json!({ "status": word, "success": i32::from(taken), "message": "simulated" }))
    }

    /// A token's validation. The script's code is the threat code; `0000` means valid.
    pub(crate) fn validate(
        &mut self,
        visit: &Visit,
        form: &ValidateForm,
        behaviour: &Behaviour,
    ) -> Reply {
        let token = self.token(visit);
        let known = token.record.validations.first().cloned();
        token.record.validations.push(form.timestamp.clone());
        if known.is_some_and(|known| known != form.timestamp) {
            let detail = "a token validated again with another timestamp".to_owned();
            self.violate(visit, judge::TIMESTAMP_CHANGED, detail);
        }
        let threat = behaviour.answer.code().and_then(|code| code.parse().ok());
        Reply::ok(validation(threat.unwrap_or(0)))
    }
}

fn validation(threat: u32) -> Value {
    let flags = [
        "APP_SOURCE",
        "APP_ACTIVITY",
        "FRAUDSCAN_BLACKLIST",
        "SUSPICIOUS_TOKEN",
        "BOT_ACTIVITY",
        "IFRAME",
        "GENERAL_ACTIVITY",
        "OPERATOR_RULE",
        "INCORRECT_COUNTRY",
        "MSISDN_BLACKLIST",
    ];
    let bits = (0..32_u32).map(|bit| 1_u32.checked_shl(bit).unwrap_or(0));
    let set = flags.iter().zip(bits).filter(|(_, bit)| threat & bit != 0);
    let names: Vec<&str> = set.map(|(name, _)| *name).collect();
    json!({ "is_valid": threat == 0, "threat_code": threat, "threat_flags": names.join("#!|") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_flags_are_the_names_of_the_codes_bits() {
        assert_eq!(validation(0)["is_valid"], true);
        let threats = validation(8 | 512);
        assert_eq!(threats["threat_flags"], "SUSPICIOUS_TOKEN#!|MSISDN_BLACKLIST");
        assert_eq!(threats["is_valid"], false);
    }

    #[test]
    fn a_reason_goes_only_with_a_failed_activation() {
        let form = |success: &str, reason: Option<&str>| ReportForm {
            api_key: Some("key".to_owned()),
            token: Some("token".to_owned()),
            activation_successful: Some(success.to_owned()),
            failure_reason: reason.map(str::to_owned),
            ..ReportForm::default()
        };
        assert_eq!(form("True", None).problem(), None);
        assert_eq!(form("False", Some("no_credit")).problem(), None);
        assert!(form("True", Some("no_credit")).problem().is_some());
        assert!(form("False", Some("bad_luck")).problem().is_some());
        assert!(form("true", None).problem().is_some());
    }
}
