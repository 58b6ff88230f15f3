//! Clients' timestamps: many forms of ISO 8601, with and without time, seconds or offset. The text
//! is passed on as it came; only its form is looked at.

use chrono::{NaiveDate, NaiveTime};

/// True for a date, or a date and a time with an optional offset.
pub(crate) fn is_iso_8601(text: &str) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else { return false };
    if NaiveDate::parse_from_str(date, "%Y-%m-%d").is_err() {
        return false;
    }
    let Some(time) = rest.strip_prefix(['T', ' ']) else { return rest.is_empty() };
    let at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, offset) = time.split_at(at);
    is_clock(clock) && is_offset(offset)
}

fn is_clock(text: &str) -> bool {
    let forms = ["%H:%M", "%H:%M:%S", "%H:%M:%S%.f"];
    forms.iter().any(|form| NaiveTime::parse_from_str(text, form).is_ok())
}

fn is_offset(text: &str) -> bool {
    if matches!(text, "" | "Z") {
        return true;
    }
    let digits = text.get(1..).unwrap_or_default().replacen(':', "", 1);
    matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_clients_send_are_read_and_nothing_else() {
        for text in [
            "2026-01-31",
            "2026-01-31T10:00Z",
            "2026-01-31 10:00:00",
            "2026-01-31T10:00:00.123456+02:00",
            "2026-01-31T10:00:00-0530",
            "2026-01-31T10:00:00+02",
        ] {
            assert!(is_iso_8601(text), "{text}");
        }
        for text in [
            "",
            "now",
            "2026-02-30T10:00:00Z",
            "31-01-2026",
            "2026-01-31Tgarbage",
            "2026-01-31T25:00:00Z",
            "2026-01-31T10:00:00ZZ",
            "2026-01-31T10:00:00+2",
            "2026-01-31é",
        ] {
            assert!(!is_iso_8601(text), "{text}");
        }
    }
}
