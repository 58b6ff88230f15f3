//! Clients' timestamps: RFC 3339 whole, and other forms of ISO 8601 without seconds, time or offset. The
//! text is passed on as it came; only its form is looked at.

use chrono::NaiveDate;

/// True for a date, or a date and a time with an optional offset.
pub(crate) fn is_iso_8601(text: &str) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else { return false };
    if !is_date(date) {
        return false;
    }
    let Some(time) = rest.strip_prefix(['T', 't', ' ']) else { return rest.is_empty() };
    let at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, offset) = time.split_at(at);
    let (Some(clock), Some(ahead)) = (Clock::read(clock), minutes_ahead(offset)) else {
        return false;
    };
    // A second is put in at the end of a day of UTC and at no other time.
    clock.second < 60 || clock.minutes().saturating_sub(ahead).rem_euclid(DAY) == DAY - 1
}

/// Minutes of a day.
const DAY: i32 = 24 * 60;

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2))
    else {
        return false;
    };
    let unsigned = |number: i32| u32::try_from(number).unwrap_or(0);
    NaiveDate::from_ymd_opt(year, unsigned(month), unsigned(day)).is_some()
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i32> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

struct Clock {
    hour: i32,
    minute: i32,
    second: i32,
}

impl Clock {
    fn read(text: &str) -> Option<Self> {
        let (text, fraction) = text.split_once('.').map_or((text, None), |(t, f)| (t, Some(f)));
        let parts: Vec<&str> = text.split(':').collect();
        let (hour, minute, second) = match (parts.as_slice(), fraction) {
            ([hour, minute], None) => (hour, minute, &"00"),
            ([hour, minute, second], _) => (hour, minute, second),
            _ => return None,
        };
        let is_fraction = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !fraction.is_none_or(is_fraction) {
            return None;
        }
        let hour = digits(hour, 2).filter(|hour| *hour < 24)?;
        let minute = digits(minute, 2).filter(|minute| *minute < 60)?;
        let second = digits(second, 2).filter(|second| *second <= 60)?;
        Some(Self { hour, minute, second })
    }

    const fn minutes(&self) -> i32 {
        self.hour.saturating_mul(60).saturating_add(self.minute)
    }
}

/// How far an offset is ahead of UTC; none is taken for UTC.
fn minutes_ahead(text: &str) -> Option<i32> {
    if matches!(text, "" | "Z" | "z") {
        return Some(0);
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let (hour, minute) = match rest.len() {
        2 => (rest, "00"),
        4 => rest.split_at_checked(2)?,
        _ => rest.split_once(':')?,
    };
    let hour = digits(hour, 2).filter(|hour| *hour < 24)?;
    let minute = digits(minute, 2).filter(|minute| *minute < 60)?;
    let ahead = hour.saturating_mul(60).saturating_add(minute);
    match sign {
        "+" => Some(ahead),
        "-" => Some(ahead.saturating_neg()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_clients_send_are_read() {
        for text in [
            "2026-01-31",
            "2026-01-31T10:00Z",
            "2026-01-31 10:00:00",
            "2026-01-31T10:00:00.123456+02:00",
            "2026-01-31T10:00:00.1234567890Z",
            "2026-01-31T10:00:00-0530",
            "2026-01-31T10:00:00+02",
            "2026-01-31t10:00:00z",
            "2026-01-31 10:00:00z",
            "2026-01-31T10:00:00-00:00",
            "2026-01-31T10:00:00+23:59",
            "1998-12-31T23:59:60Z",
            "1998-12-31T15:59:60.123-08:00",
            "1999-01-01T05:29:60+05:30",
        ] {
            assert!(is_iso_8601(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "1764496800",
            "20260131T100000Z",
            "2026-02-30T10:00:00Z",
            "31-01-2026",
            "2026-1-031",
            "+2026-1-31",
            "2026- 1-31",
            "2026-01-31Tgarbage",
            "2026-01-31T",
            "2026-01-31T24:00:00Z",
            "2026-01-31T25:00:00Z",
            "2026-01-31T10:60:00Z",
            "2026-01-31T10:00:61Z",
            "2026-01-31T10:00:60Z",
            "1998-12-31T22:59:60Z",
            "1998-12-31T23:59:60+01:00",
            "2026-01-31T1:00:00Z",
            "2026-01-31T10:0:00Z",
            "2026-01-31T10:00:00,5Z",
            "2026-01-31T10:00:00.Z",
            "2026-01-31T10:00.5Z",
            "2026-01-31T10:00:00ZZ",
            "2026-01-31T10:00:00 Z",
            "2026-01-31T10:00:00+2",
            "2026-01-31T10:00:00+24:00",
            "2026-01-31T10:00:00+99:99",
            "2026-01-31T10:00:00+02:60",
            "2026-01-31T10:00:00+02:0",
            "2026-01-31T10:00:00+-2:00",
            "2026-01-31T10:00:00*02:00",
            "2026-01-31é",
            "२०२६-01-31T10:00:00Z",
        ] {
            assert!(!is_iso_8601(text), "{text}");
        }
    }
}
