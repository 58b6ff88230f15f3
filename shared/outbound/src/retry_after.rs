//! The header `Retry-After`.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

/// Whatever the other side asks for, we ask again after a day.
const WAIT_SECONDS_MAX: u64 = 24 * 60 * 60;
/// A year of two digits that would be further ahead is one of the past (RFC 9110, 5.6.7).
const YEARS_AHEAD_MAX: i32 = 50;
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// How long the other side asks us to wait, never less than it says; of several the longest. `None`
/// when it does not say, or says nonsense.
pub(crate) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    // The other side's clock, when it tells it, is the one its date was made with.
    let now = headers.get(DATE).and_then(text).and_then(|text| date(text, now)).unwrap_or(now);
    let asked = headers.get_all(RETRY_AFTER).iter().filter_map(text);
    let seconds = asked.filter_map(|text| seconds(text).or_else(|| until(text, now))).max()?;
    Some(Duration::from_secs(seconds.min(WAIT_SECONDS_MAX)))
}

fn text(value: &HeaderValue) -> Option<&str> {
    Some(value.to_str().ok()?.trim())
}

/// Seconds; a part of one is a whole one.
fn seconds(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(part) {
        return None;
    }
    let more = u64::from(part.bytes().any(|byte| byte != b'0'));
    // More digits than fit are more than a day.
    Some(whole.parse::<u64>().map_or(WAIT_SECONDS_MAX, |whole| whole.saturating_add(more)))
}

/// The seconds until a date, a part of one as a whole one.
fn until(text: &str, now: DateTime<Utc>) -> Option<u64> {
    let wait = date(text, now)?.signed_duration_since(now);
    let rest = i64::from(wait.subsec_nanos() > 0);
    Some(u64::try_from(wait.num_seconds().saturating_add(rest)).unwrap_or(0))
}

/// A date in any of HTTP's three forms, or in one that others use instead (RFC 5322 with an offset, RFC
/// 3339). The name of the day is no part of the date.
fn date(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let others = || {
        let read =
            DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text));
        Some(read.ok()?.with_timezone(&Utc))
    };
    http_date(text, now).or_else(others)
}

fn http_date(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let words = text.split([' ', ',', '-']).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    let (day, month, year, time) = match words.as_slice() {
        // Sun, 06 Nov 1994 08:49:37 GMT · Sunday, 06-Nov-94 08:49:37 GMT
        [_, day, month, year, time, zone] if is_utc(zone) => (day, month, year, time),
        // Sun Nov  6 08:49:37 1994
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let month = MONTHS.iter().zip(1..).find(|(name, _)| month.eq_ignore_ascii_case(name))?.1;
    let day = day.parse().ok()?;
    let date = match (year.len(), year.parse().ok()?) {
        (4, year) => NaiveDate::from_ymd_opt(year, month, day)?,
        (2, year) => of_this_century(year, month, day, now)?,
        _ => return None,
    };
    let time = NaiveTime::parse_from_str(time, "%H:%M:%S").ok()?;
    Some(NaiveDateTime::new(date, time).and_utc())
}

fn is_utc(zone: &str) -> bool {
    ["GMT", "UTC", "UT", "Z"].iter().any(|name| zone.eq_ignore_ascii_case(name))
}

fn of_this_century(year: i32, month: u32, day: u32, now: DateTime<Utc>) -> Option<NaiveDate> {
    let this_year: i32 = now.format("%Y").to_string().parse().ok()?;
    let century = this_year.checked_div(100)?.checked_mul(100)?;
    let year = century.checked_add(year)?;
    let is_past = year > this_year.checked_add(YEARS_AHEAD_MAX)?;
    NaiveDate::from_ymd_opt(if is_past { year.checked_sub(100)? } else { year }, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_at(now: &str, asked: &[&str], date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for asked in asked {
            headers.append(RETRY_AFTER, asked.parse().unwrap());
        }
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        let now = DateTime::parse_from_rfc3339(now).unwrap().to_utc();
        retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    fn asked(asked: &str, date: Option<&str>) -> Option<u64> {
        asked_at("2026-01-01T00:00:00Z", &[asked], date)
    }

    #[test]
    fn seconds_are_taken_up_to_a_day_and_a_part_of_one_is_never_early() {
        for (text, wait) in [
            ("0", 0),
            ("120", 120),
            (" 7 ", 7),
            ("1.5", 2),
            ("30.0", 30),
            ("0.001", 1),
            ("315360000", WAIT_SECONDS_MAX),
            ("18446744073709551615.9", WAIT_SECONDS_MAX),
            ("99999999999999999999999", WAIT_SECONDS_MAX),
        ] {
            assert_eq!(asked(text, None), Some(wait), "{text}");
        }
        assert_eq!(asked_at("2026-01-01T00:00:00Z", &["5", "soon", "40"], None), Some(40));
    }

    #[test]
    fn a_date_counts_from_the_other_sides_clock_and_else_from_ours() {
        let date = "Thu, 01 Jan 2026 00:02:00 GMT";
        assert_eq!(asked(date, None), Some(120));
        assert_eq!(asked(date, Some("Thu, 01 Jan 2026 00:01:30 GMT")), Some(30));
        assert_eq!(asked(date, Some("Thursday, 01-Jan-26 00:01:30 GMT")), Some(30));
        assert_eq!(asked(date, Some("yesterday")), Some(120));
        assert_eq!(asked("Wed, 31 Dec 2025 23:59:59 GMT", None), Some(0));
        assert_eq!(asked("Tue, 01 Jan 2036 00:00:00 GMT", None), Some(WAIT_SECONDS_MAX));
        // Our clock shows parts of a second, which the date does not have.
        let wait = asked_at("2026-01-01T00:00:00.750Z", &[date], None);
        assert_eq!(wait, Some(120), "rounded up, not down");
    }

    #[test]
    fn all_three_forms_of_a_date_are_read_and_those_that_others_use() {
        for date in [
            "Thu, 01 Jan 2026 00:02:00 GMT",
            "Thursday, 01-Jan-26 00:02:00 GMT",
            "Thu Jan  1 00:02:00 2026",
            "Thu Jan 01 00:02:00 2026",
            "thu, 1 JAN 2026 00:02:00 utc",
            "Mon, 01 Jan 2026 00:02:00 GMT",
            "01 Jan 2026 02:02:00 +0200",
            "2026-01-01T02:02:00.000+02:00",
        ] {
            assert_eq!(asked(date, None), Some(120), "{date}");
        }
        // Of this century, unless that were more than fifty years ahead.
        assert_eq!(asked("Saturday, 01-Jan-94 00:02:00 GMT", None), Some(0));
        assert_eq!(asked("Wednesday, 01-Jan-76 00:02:00 GMT", None), Some(WAIT_SECONDS_MAX));
    }

    #[test]
    fn nonsense_is_ignored() {
        for text in [
            "",
            "-5",
            "1.",
            ".5",
            "1.5.2",
            "1e3",
            "soon",
            "10 years",
            "0x10",
            "Thu, 99 Jan 2026 00:02:00 GMT",
            "Thu Foo  1 00:02:00 2026",
            "Thu, 01 Jan 2026 25:02:00 GMT",
        ] {
            assert_eq!(asked(text, None), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), Utc::now()), None);
    }
}
