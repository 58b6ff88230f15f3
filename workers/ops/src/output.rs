//! Tables for people, JSON for programs; errors on the error stream.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use comfy_table::Table;
use fleet_telemetry::last_word;
use serde_json::Value;

/// How results are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// Prints a value as JSON, or the lines that say the same. What a terminal would act on, or show
    /// in another order than it stands there, is printed as its code.
    pub(crate) fn print(self, value: &Value, text: impl FnOnce() -> String) {
        let text = if self.json { format!("{value:#}") } else { text().trim_end().to_owned() };
        self.print_file(&visible(&text, true));
    }

    /// Prints a text as it stands, for files.
    pub(crate) fn print_file(self, text: &str) {
        if let Err(error) = write(io::stdout().lock(), text) {
            last_word(&format!("error: the result cannot be printed: {error}"));
        }
    }
}

/// A reader that has seen enough, such as `head`, is no error.
fn write(mut out: impl Write, text: &str) -> io::Result<()> {
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// A page, and the key of its last row when another row, which is not of it, says that there are more.
pub(crate) fn page<T, K>(
    mut rows: Vec<T>,
    limit: u32,
    key: impl Fn(&T) -> K,
) -> (Vec<T>, Option<K>) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(key);
    (rows, next)
}

/// The fields of two objects.
pub(crate) fn merged(mut value: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (value.as_object_mut(), more) {
        fields.extend(more);
    }
    value
}

/// A table; every cell is one line of plain text.
pub(crate) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::TableStyle::default());
    table.set_header(head.to_vec());
    for row in rows {
        table.add_row(row.into_iter().map(|cell| visible(&cell, false)).collect::<Vec<_>>());
    }
    format!("{table}\n")
}

/// Control characters, and those that turn, hide or break a line, as the escapes that JSON knows.
fn visible(text: &str, keeps_lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let line_end = c == '\n' && keeps_lines;
        if (c.is_control() || is_invisible(c)) && !line_end {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Marks of direction, of no width, and line ends besides the usual one.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The last word of a command that failed.
pub(crate) fn error(code: u8, text: &str) -> ExitCode {
    last_word(&format!("error: {}", visible(text, true)));
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe that fails like this.
    struct Pipe(ErrorKind);

    impl Write for Pipe {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_terminal_would_act_on_is_printed_as_its_code() {
        for (text, shown) in [
            ("a\u{1b}[2Jb", "a\\u001b[2Jb"),
            ("27\u{202e}82\u{200b}1", "27\\u202e82\\u200b1"),
            ("one\u{2028}two\rthree\u{9b}", "one\\u2028two\\u000dthree\\u009b"),
            ("tag\u{e0041}", "tag\\udb40\\udc41"),
            ("Grüße 日本", "Grüße 日本"),
        ] {
            assert_eq!(visible(text, true), shown);
            assert!(table(&["x"], [vec![text.to_owned()]]).contains(shown), "{text:?}");
            let json = visible(&serde_json::json!({ "x": text }).to_string(), true);
            let read: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(read["x"], text, "it is the same text for programs");
        }
        assert_eq!(visible("a\nb", false), "a\\u000ab");
        assert_eq!(visible("a\nb", true), "a\nb");
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_disk_is() {
        let mut page = Vec::new();
        write(&mut page, "all").unwrap();
        assert_eq!(page, b"all\n");
        write(Pipe(ErrorKind::BrokenPipe), "all").unwrap();
        let full = write(Pipe(ErrorKind::StorageFull), "all").unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }
}
