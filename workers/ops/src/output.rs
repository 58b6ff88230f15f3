//! Tables for people, JSON for programs; errors on the error stream.

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
    #[expect(clippy::print_stdout, reason = "this is the command's result")]
    pub(crate) fn print(self, value: &Value, text: impl FnOnce() -> String) {
        if self.json {
            println!("{value:#}");
        } else {
            println!("{}", text().trim_end());
        }
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
