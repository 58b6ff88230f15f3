//! The one reader of what others answer and tell us. It may be about money or goods that are out, so
//! it is read as leniently as is safe: each field by itself, and only what decides (a code, a
//! reference, an amount, a voucher) by its type. Nothing that decides is ever guessed, rounded or
//! cleaned into something else.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{REFERENCE_CHARS_MAX, Rejection, plain};

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
    let is_around = |c: char| c == '\u{feff}' || c == '\0' || c.is_whitespace();
    text.trim_matches(is_around).to_owned()
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
    fields: Vec<(String, Box<RawValue>)>,
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
    /// It stands there twice and says two things, or is no text that can be read.
    Open,
}

impl Field {
    fn of(raw: &RawValue) -> Self {
        let text = raw.get().trim();
        match text.as_bytes().first() {
            Some(b'"') => serde_json::from_str(text).map_or(Self::Open, Self::Text),
            Some(b't') => Self::Yes(true),
            Some(b'f') => Self::Yes(false),
            Some(b'n') | None => Self::Absent,
            Some(b'{' | b'[') => Self::Nested(text.to_owned()),
            Some(_) => Self::Number(text.to_owned()),
        }
    }
}

impl Told {
    /// Reads an object.
    ///
    /// # Errors
    /// [`Unreadable`] for anything else.
    pub fn from_bytes(body: &[u8]) -> Result<Self, Unreadable> {
        let text = text_of(body);
        let fields = fields(&text).or_else(|_error| fields(&with_controls_escaped(&text)));
        let fields = fields.map_err(|_error| Unreadable {
            field: "body".to_owned(),
            problem: "is no JSON object",
        })?;
        Ok(Self { path: String::new(), fields })
    }

    fn field(&self, name: &str) -> Field {
        let mut named = self.fields.iter().filter(|(field, _)| field == name);
        let Some((_, first)) = named.next() else { return Field::Absent };
        let first = Field::of(first);
        if named.all(|(_, raw)| Field::of(raw) == first) { first } else { Field::Open }
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
            Field::Number(digits) if is_digits(&digits) => Ok(Some(digits)),
            Field::Open => Err(self.problem(name, "stands there twice, or is no text")),
            Field::Number(_) | Field::Yes(_) | Field::Nested(_) => {
                Err(self.problem(name, "has the wrong type"))
            }
        }
    }

    /// A text that decides and must be there.
    ///
    /// # Errors
    /// As [`Self::text`], and for a missing one.
    pub fn required(&self, name: &str) -> Result<String, Unreadable> {
        self.text(name)?.ok_or_else(|| self.problem(name, "is missing"))
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
        let text = self.text(name).ok().flatten()?;
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
        let parsed = sent.parse().ok().filter(|_| is_digits(digits));
        parsed.map(Some).ok_or_else(|| self.problem(name, "is no amount"))
    }

    /// Major units as they stand there, as text or number.
    ///
    /// # Errors
    /// [`Unreadable`] when it says two things.
    pub fn major(&self, name: &str) -> Result<Option<String>, Unreadable> {
        match self.field(name) {
            Field::Text(text) | Field::Number(text) => Ok(Some(text)),
            Field::Open => Err(self.problem(name, "stands there twice, or is no text")),
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
            Field::Absent => return Err(self.problem(name, "is missing")),
            Field::Nested(_) | Field::Open => String::new(),
        };
        match word.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
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
                let fields = fields(&text).map_err(|_error| self.problem(name, "is no object"))?;
                Ok(Some(Self { path: format!("{}{name}.", self.path), fields }))
            }
            Field::Text(_) | Field::Number(_) | Field::Yes(_) | Field::Open => {
                Err(self.problem(name, "is no object"))
            }
        }
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
            Field::Number(digits) => {
                let number = digits.parse::<i64>().map(serde_json::Value::from);
                let number = number.or_else(|_| digits.parse::<u64>().map(serde_json::Value::from));
                Some(number.unwrap_or_else(|_| decimal(&digits)))
            }
            Field::Absent | Field::Nested(_) | Field::Open => None,
        }
    }
}

/// A number that is no integer: itself where nothing of it is lost, else its characters.
fn decimal(digits: &str) -> serde_json::Value {
    let number: Option<serde_json::Number> = serde_json::from_str(digits).ok();
    let exact = number.filter(|number| number.to_string() == digits);
    exact.map_or_else(|| digits.into(), Into::into)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The fields of an object and nothing after it, in their order, repeated ones too.
fn fields(text: &str) -> Result<Vec<(String, Box<RawValue>)>, serde_json::Error> {
    struct Fields;

    impl<'de> Visitor<'de> for Fields {
        type Value = Vec<(String, Box<RawValue>)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some(field) = map.next_entry()? {
                fields.push(field);
            }
            Ok(fields)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = deserializer.deserialize_map(Fields)?;
    deserializer.end()?;
    Ok(fields)
}

/// The same with what must be escaped inside a text: some write a line break as it is. Nothing of the
/// text is lost by that.
fn with_controls_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let (mut inside, mut after_backslash) = (false, false);
    for c in text.chars() {
        if inside && c.is_ascii_control() && c != '\u{7f}' {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
            after_backslash = false;
            continue;
        }
        if c == '"' && !after_backslash {
            inside = !inside;
        }
        after_backslash = inside && c == '\\' && !after_backslash;
        escaped.push(c);
    }
    escaped
}

fn is_empty_list(text: &str) -> bool {
    let inner = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.trim().is_empty())
}

#[cfg(test)]
mod tests;
