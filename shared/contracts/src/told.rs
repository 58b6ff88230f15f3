//! The one reader of what others answer and tell us. It may be about money or goods that are out, so
//! it is read as leniently as is safe: each field by itself, and only what decides (a code, a
//! reference, an amount, a voucher) by its type. Nothing that decides is ever guessed, rounded or
//! cleaned into something else.

mod number;
mod object;

use std::borrow::Cow;
use std::fmt;

use crate::{REFERENCE_CHARS_MAX, Rejection, plain};

/// What is wrong with a field that says two things, or nothing that can be read.
const OPEN: &str = "stands there twice, or cannot be read";
/// Characters of a code that are kept.
const CODE_CHARS_MAX: usize = 32;

/// Why a document of others decides nothing. It never repeats a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the reply is unreadable: {field} {problem}")]
pub struct Unreadable {
    /// The field in the sender's spelling, or `body`.
    pub field: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl From<Unreadable> for Rejection {
    fn from(unreadable: Unreadable) -> Self {
        Self::field(&unreadable.field, unreadable.problem)
    }
}

/// What can be read from a document of others.
pub trait FromTold: Sized {
    /// Takes what decides.
    ///
    /// # Errors
    /// [`Unreadable`] when a field that decides cannot be told.
    fn from_told(told: &Told) -> Result<Self, Unreadable>;
}

/// Reads a document of others.
///
/// # Errors
/// [`Unreadable`] for what is no object, or leaves open what decides.
pub fn read_told<T: FromTold>(body: &[u8]) -> Result<T, Unreadable> {
    T::from_told(&Told::from_bytes(body)?)
}

/// The text of a document: without a byte order mark and blanks around it; what is no text is
/// replaced, and a replaced character is never part of what decides.
#[must_use]
pub fn text_of(body: &[u8]) -> String {
    let text = match body {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [first, 0, _, 0, ..] if *first != 0 => utf16(body, u16::from_le_bytes),
        [0, first, 0, _, ..] if *first != 0 => utf16(body, u16::from_be_bytes),
        _ => String::from_utf8_lossy(body),
    };
    let text = text.trim_matches(is_around);
    // A mark that somebody took for Latin-1 and wrote again.
    text.strip_prefix("\u{ef}\u{bb}\u{bf}").unwrap_or(text).trim_matches(is_around).to_owned()
}

/// What may stand around a document and is no part of it: a mark, a blank, or a character that nobody
/// sees.
fn is_around(c: char) -> bool {
    matches!(c, '\u{feff}' | '\0' | '\u{200b}'..='\u{200d}' | '\u{2060}') || c.is_whitespace()
}

fn utf16(body: &[u8], read: fn([u8; 2]) -> u16) -> Cow<'static, str> {
    let units = body.chunks(2).map(|pair| match pair {
        [one, two] => read([*one, *two]),
        _ => u16::from(b'?'),
    });
    let text = char::decode_utf16(units);
    Cow::Owned(text.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// A document's fields, each as it stands there.
pub struct Told {
    path: String,
    fields: Vec<(String, String)>,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Told([private])")
    }
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    /// Not there, or null.
    Absent,
    Text(String),
    /// The number's own characters: no digit of it is lost.
    Number(String),
    Yes(bool),
    /// An object or an array.
    Nested(String),
    /// It stands there twice and says two things, or is nothing that JSON has.
    Open,
}

impl Field {
    fn of(raw: &str) -> Self {
        match raw {
            "null" => Self::Absent,
            "true" => Self::Yes(true),
            "false" => Self::Yes(false),
            _ if raw.starts_with('"') => object::text(raw).map_or(Self::Open, Self::Text),
            _ if raw.starts_with(['{', '[']) => Self::Nested(raw.to_owned()),
            _ if number::is_one(raw) => Self::Number(raw.to_owned()),
            _ => Self::Open,
        }
    }
}

impl Told {
    /// Reads an object.
    ///
    /// # Errors
    /// [`Unreadable`] for anything else.
    pub fn from_bytes(body: &[u8]) -> Result<Self, Unreadable> {
        let fields = object::fields(&text_of(body))
            .ok_or_else(|| Unreadable { field: "body".to_owned(), problem: "is no JSON object" })?;
        Ok(Self { path: String::new(), fields })
    }

    fn field(&self, name: &str) -> Field {
        let mut named = self.fields.iter().filter(|(field, _)| field == name);
        let Some((_, first)) = named.next() else { return Field::Absent };
        let first = Field::of(first);
        if named.all(|(_, raw)| Field::of(raw) == first) { first } else { Field::Open }
    }

    fn missing(&self, name: &str) -> Unreadable {
        self.problem(name, "is missing")
    }

    fn problem(&self, name: &str, problem: &'static str) -> Unreadable {
        Unreadable { field: format!("{}{name}", self.path), problem }
    }

    /// A text that decides; a number is its digits. `None` where there is none, or an empty one.
    ///
    /// # Errors
    /// [`Unreadable`] for anything that cannot be told to be this one text.
    pub fn text(&self, name: &str) -> Result<Option<String>, Unreadable> {
        match self.field(name) {
            Field::Absent => Ok(None),
            Field::Text(text) if text.contains(char::REPLACEMENT_CHARACTER) => {
                Err(self.problem(name, "is damaged"))
            }
            Field::Text(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            Field::Number(digits) if number::is_digits(&digits) => Ok(Some(digits)),
            Field::Open => Err(self.problem(name, OPEN)),
            Field::Number(_) | Field::Yes(_) | Field::Nested(_) => {
                Err(self.problem(name, "has the wrong type"))
            }
        }
    }

    /// A name or number that is compared with one of ours. What some write as a decimal is its digits
    /// here, because another one than ours changes nothing.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn identifier(&self, name: &str) -> Result<Option<String>, Unreadable> {
        if let Field::Number(sent) = self.field(name)
            && let Some(digits) = number::whole(&sent)
        {
            return Ok(Some(digits));
        }
        self.text(name)
    }

    /// A text that decides and must be there.
    ///
    /// # Errors
    /// As [`Self::text`], and for a missing one.
    pub fn required(&self, name: &str) -> Result<String, Unreadable> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// An identifier that must be there.
    ///
    /// # Errors
    /// As [`Self::identifier`], and for a missing one.
    pub fn required_identifier(&self, name: &str) -> Result<String, Unreadable> {
        self.identifier(name)?.ok_or_else(|| self.missing(name))
    }

    /// A code. What no column takes is replaced, so that it is no other code.
    ///
    /// # Errors
    /// As [`Self::required`], but an empty code is one that nobody knows.
    pub fn code(&self, name: &str) -> Result<String, Unreadable> {
        if self.field(name) == Field::Text(String::new()) {
            return Ok(String::new());
        }
        let code = self.required(name)?;
        let kept = code.chars().map(|c| if c.is_control() { '?' } else { c });
        if code.chars().count() > CODE_CHARS_MAX {
            return Ok(kept.take(CODE_CHARS_MAX.saturating_sub(1)).chain(['…']).collect());
        }
        Ok(kept.collect())
    }

    /// A reference that is kept where it can be told: without control characters, its start, and never
    /// a reason to lose the answer that it came in.
    #[must_use]
    pub fn reference(&self, name: &str) -> Option<String> {
        let text = self.identifier(name).ok().flatten()?;
        Some(plain(&text, REFERENCE_CHARS_MAX)).filter(|text| !text.is_empty())
    }

    /// Minor units: an integer as number or text, `1500.0` too. Anything else is no amount.
    ///
    /// # Errors
    /// [`Unreadable`] for what is there and no amount.
    pub fn minor(&self, name: &str) -> Result<Option<i64>, Unreadable> {
        let sent = match self.field(name) {
            Field::Absent => return Ok(None),
            Field::Text(text) => text,
            Field::Number(digits) => digits.strip_suffix(".0").unwrap_or(&digits).to_owned(),
            Field::Yes(_) | Field::Nested(_) | Field::Open => String::new(),
        };
        let digits = sent.strip_prefix('-').unwrap_or(&sent);
        let parsed = sent.parse().ok().filter(|_| number::is_digits(digits));
        parsed.map(Some).ok_or_else(|| self.problem(name, "is no amount"))
    }

    /// Major units as they stand there, as text or number; of a number with an exponent every digit.
    ///
    /// # Errors
    /// [`Unreadable`] when it says two things.
    pub fn major(&self, name: &str) -> Result<Option<String>, Unreadable> {
        match self.field(name) {
            Field::Text(text) => Ok(Some(text)),
            Field::Number(sent) => Ok(Some(number::decimal(&sent).unwrap_or(sent))),
            Field::Open => Err(self.problem(name, OPEN)),
            Field::Absent | Field::Yes(_) | Field::Nested(_) => Ok(None),
        }
    }

    /// Yes or no, in the words of several languages.
    ///
    /// # Errors
    /// [`Unreadable`] for anything that is neither.
    pub fn yes_or_no(&self, name: &str) -> Result<bool, Unreadable> {
        let word = match self.field(name) {
            Field::Yes(yes) => return Ok(yes),
            Field::Text(text) | Field::Number(text) => text,
            Field::Absent => return Err(self.missing(name)),
            Field::Nested(_) | Field::Open => String::new(),
        };
        match word.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" | "1.0" => Ok(true),
            "false" | "no" | "0" | "0.0" => Ok(false),
            _ => Err(self.problem(name, "is neither yes nor no")),
        }
    }

    /// A text that decides nothing, as it can be read; empty where there is none.
    #[must_use]
    pub fn words(&self, name: &str) -> String {
        match self.field(name) {
            Field::Text(text) | Field::Number(text) => text,
            Field::Absent | Field::Yes(_) | Field::Nested(_) | Field::Open => String::new(),
        }
    }

    /// An object inside this one; `None` where there is none.
    ///
    /// # Errors
    /// [`Unreadable`] for anything else.
    pub fn object(&self, name: &str) -> Result<Option<Self>, Unreadable> {
        match self.field(name) {
            Field::Absent => Ok(None),
            // PHP writes an empty object so.
            Field::Nested(text) if is_empty_list(&text) => Ok(None),
            Field::Nested(text) => {
                let fields = object::fields(&text);
                let fields = fields.ok_or_else(|| self.problem(name, "is no object"))?;
                Ok(Some(Self { path: format!("{}{name}.", self.path), fields }))
            }
            Field::Text(_) | Field::Number(_) | Field::Yes(_) | Field::Open => {
                Err(self.problem(name, "is no object"))
            }
        }
    }

    /// An object that must be there.
    ///
    /// # Errors
    /// As [`Self::object`], and for a missing one.
    pub fn required_object(&self, name: &str) -> Result<Self, Unreadable> {
        self.object(name)?.ok_or_else(|| self.missing(name))
    }

    /// The names of its fields, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.fields.iter().map(|(name, _)| name.as_str());
        names.enumerate().filter_map(move |(at, name)| {
            let seen = self.fields.iter().take(at).any(|(before, _)| before == name);
            (!seen).then_some(name)
        })
    }

    /// A field as a plain value that decides nothing; a number keeps every digit.
    #[must_use]
    pub fn scalar(&self, name: &str) -> Option<serde_json::Value> {
        match self.field(name) {
            Field::Text(text) => Some(text.into()),
            Field::Yes(yes) => Some(yes.into()),
            Field::Number(digits) => Some(number::value(&digits)),
            Field::Absent | Field::Nested(_) | Field::Open => None,
        }
    }
}

fn is_empty_list(text: &str) -> bool {
    let inner = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.trim().is_empty())
}

#[cfg(test)]
mod tests;
