//! Parameters of a query, each of which may come once.

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::http::Uri;

/// Every parameter, if each is readable and comes once.
pub(super) fn parameters(uri: &Uri) -> Result<BTreeMap<String, String>, String> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let Query(pairs) = pairs.map_err(|error| error.to_string())?;
    let mut found = BTreeMap::new();
    for (name, text) in pairs {
        // What is no UTF-8 was replaced when it was decoded.
        if text.contains(char::REPLACEMENT_CHARACTER) || text.contains(char::is_control) {
            return Err(format!("{name} is no text"));
        }
        if found.insert(name.clone(), text).is_some() {
            return Err(format!("{name} comes twice"));
        }
    }
    Ok(found)
}

/// One parameter, taken out of them.
pub(super) fn take(found: &mut BTreeMap<String, String>, name: &str) -> Result<String, String> {
    let text = found.remove(name).filter(|text| !text.is_empty());
    text.ok_or_else(|| format!("{name} is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<BTreeMap<String, String>, String> {
        parameters(&format!("/path?{query}").parse().unwrap())
    }

    #[test]
    fn a_parameter_is_readable_and_comes_once() {
        let mut found = read("a=1&b=Game+from+Acme%26&").unwrap();
        assert_eq!(take(&mut found, "b").unwrap(), "Game from Acme&");
        assert_eq!(take(&mut found, "b").unwrap_err(), "b is missing");
        assert_eq!(read("a=1&a=1").unwrap_err(), "a comes twice");
        assert_eq!(read("a=%ff").unwrap_err(), "a is no text");
        assert_eq!(read("a=%00").unwrap_err(), "a is no text");
    }
}
