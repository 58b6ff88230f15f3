//! How an object is put together. What a field holds is that field's own matter, so that one that is
//! no JSON (`NaN`, a wrong escape, a number with zeros in front) costs nothing but itself.

/// The fields of an object and nothing after it, in their order, repeated ones too, each as it stands
/// there. A comma behind the last one is no harm. `None` for what is no object.
pub(super) fn fields(text: &str) -> Option<Vec<(String, String)>> {
    let mut rest = Rest(text);
    let mut fields = Vec::new();
    rest.take('{')?;
    loop {
        if rest.take('}').is_some() {
            break;
        }
        let name = rest.quoted()?;
        rest.take(':')?;
        let value = rest.value()?.to_owned();
        // One that cannot be read is the name of nothing that is asked for.
        fields.push((self::text(name).unwrap_or_else(|| name.to_owned()), value));
        if rest.take(',').is_none() {
            rest.take('}')?;
            break;
        }
    }
    rest.0.trim_start().is_empty().then_some(fields)
}

/// The text in quotation marks. Some write a line break in it as it is; nothing of it gets lost.
pub(super) fn text(quoted: &str) -> Option<String> {
    let read = serde_json::from_str(quoted);
    read.or_else(|_error| serde_json::from_str(&with_controls_escaped(quoted))).ok()
}

fn with_controls_escaped(quoted: &str) -> String {
    let mut escaped = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        if c.is_ascii_control() && c != '\u{7f}' {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// What is still to be read.
struct Rest<'t>(&'t str);

impl<'t> Rest<'t> {
    /// Takes this character, and the blanks before it.
    fn take(&mut self, c: char) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(c)?;
        Some(())
    }

    fn split(&mut self, at: usize) -> Option<&'t str> {
        let (taken, rest) = self.0.split_at_checked(at)?;
        self.0 = rest;
        Some(taken)
    }

    /// A text with its quotation marks.
    fn quoted(&mut self) -> Option<&'t str> {
        self.0 = self.0.trim_start();
        let end = end_of_quoted(self.0)?;
        self.split(end)
    }

    /// A value, up to the comma or the bracket behind it.
    fn value(&mut self) -> Option<&'t str> {
        self.0 = self.0.trim_start();
        let end = match self.0.as_bytes().first()? {
            b'"' => end_of_quoted(self.0),
            b'{' | b'[' => end_of_nested(self.0),
            _ => self.0.find([',', '}', ']', '{', '[', '"', ':']),
        };
        let value = self.split(end?)?.trim_end();
        (!value.is_empty()).then_some(value)
    }
}

/// Where a text that begins with a quotation mark ends.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut after_backslash = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if at == 0 && byte != b'"' => return None,
            _ if after_backslash => after_backslash = false,
            b'\\' => after_backslash = true,
            b'"' if at > 0 => return at.checked_add(1),
            _ => {}
        }
    }
    None
}

/// Where an object or an array ends, by its brackets.
fn end_of_nested(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    let mut at = 0_usize;
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => {
                at = at.checked_add(end_of_quoted(text.get(at..)?)?)?;
                continue;
            }
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'}' | b']' if open.pop() != Some(*byte) => return None,
            b'}' | b']' if open.is_empty() => return at.checked_add(1),
            _ => {}
        }
        at = at.checked_add(1)?;
    }
    None
}
