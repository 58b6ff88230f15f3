//! Tables for people, JSON for programs; errors on the error stream.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use comfy_table::Table;
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

    /// Prints a value as JSON, or the lines that say the same.
    #[expect(clippy::print_stderr, reason = "the result could not be printed: that is all to say")]
    pub(crate) fn print(self, value: &Value, text: impl FnOnce() -> String) {
        let text = if self.json { format!("{value:#}") } else { text().trim_end().to_owned() };
        if let Err(error) = write(io::stdout().lock(), &text) {
            eprintln!("error: the result cannot be printed: {error}");
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

/// A table; every cell is plain text without control characters.
pub(crate) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::TableStyle::default());
    table.set_header(head.to_vec());
    for row in rows {
        table.add_row(row.into_iter().map(|cell| plain(&cell)).collect::<Vec<_>>());
    }
    format!("{table}\n")
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The last word of a command that failed.
#[expect(clippy::print_stderr, reason = "this is where a command says why it failed")]
pub(crate) fn error(code: u8, text: &str) -> ExitCode {
    eprintln!("error: {text}");
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
    fn a_reader_that_left_is_no_error_and_a_full_disk_is() {
        let mut page = Vec::new();
        write(&mut page, "all").unwrap();
        assert_eq!(page, b"all\n");
        write(Pipe(ErrorKind::BrokenPipe), "all").unwrap();
        let full = write(Pipe(ErrorKind::StorageFull), "all").unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
    }
}
