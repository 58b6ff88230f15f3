//! `Accept`: whether JSON may be answered (RFC 9110, 12.5.1).

use axum::http::{HeaderMap, header};

/// True unless `Accept` names only other things, or excludes JSON: the most specific range that fits
/// decides, and with a weight of 0 it excludes.
pub(crate) fn accepts_json(headers: &HeaderMap) -> bool {
    let mut accepts = headers.get_all(header::ACCEPT).iter().peekable();
    if accepts.peek().is_none() {
        return true;
    }
    let texts: Vec<&str> = accepts.filter_map(|value| value.to_str().ok()).collect();
    let ranges = texts.iter().flat_map(|text| split(text, ',')).filter_map(range);
    // Of two of one kind the one that allows counts: both were asked for.
    ranges.max().is_some_and(|(_, allowed)| allowed)
}

/// How specific a range that JSON fits is, and whether it allows.
fn range(text: &str) -> Option<(u8, bool)> {
    let mut parts = split(text, ';').into_iter().map(str::trim);
    let kind = parts.next()?.to_ascii_lowercase();
    let specific = match kind.as_str() {
        "*/*" => 0,
        "application/*" => 1,
        "application/json" => 2,
        _ => return None,
    };
    let weight = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse::<f32>().ok())?
    });
    Some((specific, weight.is_none_or(|weight| weight > 0.0)))
}

/// The parts between separators, but those inside quotation marks.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        let ends = c == separator && !quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        ends
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_acceptable_unless_only_other_things_are() {
        let accepts = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, text.parse().unwrap());
            accepts_json(&headers)
        };
        assert!(accepts_json(&HeaderMap::new()));
        for yes in [
            "*/*",
            "application/json",
            "text/html, application/*;q=0.5",
            "Application/JSON",
            "*/*;q=0, application/json",
            "application/*;q=0,application/json;charset=utf-8;Q=0.1",
            "text/html;x=\"a;q=0, b\", */*;q=0.1",
            "application/json;q=0.001",
        ] {
            assert!(accepts(yes), "{yes}");
        }
        for no in [
            "text/html",
            "application/json;q=0",
            "application/json;q=0, */*",
            "application/json; Q=0.000, application/*;q=1",
            "*/*;q=0",
            "application/*;q=0, */*",
            "text/html;x=\"application/json, */*\"",
            "application/xml, text/*",
            "application/jsonx",
            "",
        ] {
            assert!(!accepts(no), "{no}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(header::ACCEPT, "text/html".parse().unwrap());
        assert!(!accepts_json(&headers));
        headers.append(header::ACCEPT, "application/json".parse().unwrap());
        assert!(accepts_json(&headers));
    }
}
