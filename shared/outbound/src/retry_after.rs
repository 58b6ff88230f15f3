//! The header `Retry-After`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// Whatever the other side asks for, we ask again after a day.
const WAIT_SECONDS_MAX: u64 = 24 * 60 * 60;

/// How long the other side asks us to wait; `None` when it does not say, or says nonsense.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        match text.parse::<u64>() {
            Ok(seconds) => seconds,
            Err(_too_many_digits) if !text.is_empty() => WAIT_SECONDS_MAX,
            Err(_empty) => return None,
        }
    } else {
        let until = DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc);
        // The other side's clock, when it tells it, is the one its date was made with.
        let now = date(headers, &DATE).unwrap_or(now);
        u64::try_from(until.signed_duration_since(now).num_seconds()).unwrap_or(0)
    };
    Some(Duration::from_secs(seconds.min(WAIT_SECONDS_MAX)))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<DateTime<Utc>> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(text.trim()).ok()?.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(asked: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, asked.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().to_utc();
        retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_are_taken_up_to_a_day() {
        for (text, wait) in [
            ("0", 0),
            ("120", 120),
            (" 7 ", 7),
            ("315360000", WAIT_SECONDS_MAX),
            ("99999999999999999999999", WAIT_SECONDS_MAX),
        ] {
            assert_eq!(asked(text, None), Some(wait), "{text}");
        }
    }

    #[test]
    fn a_date_counts_from_the_other_sides_clock_and_else_from_ours() {
        let date = "Thu, 01 Jan 2026 00:02:00 GMT";
        assert_eq!(asked(date, None), Some(120));
        assert_eq!(asked(date, Some("Thu, 01 Jan 2026 00:01:30 GMT")), Some(30));
        assert_eq!(asked(date, Some("yesterday")), Some(120));
        assert_eq!(asked("Wed, 31 Dec 2025 23:59:59 GMT", None), Some(0));
        assert_eq!(asked("Tue, 01 Jan 2036 00:00:00 GMT", None), Some(WAIT_SECONDS_MAX));
    }

    #[test]
    fn nonsense_is_ignored() {
        for text in ["", "-5", "1.5", "soon", "10 years", "0x10", "Thu, 99 Jan 2026 00:02:00 GMT"] {
            assert_eq!(asked(text, None), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), Utc::now()), None);
    }
}
