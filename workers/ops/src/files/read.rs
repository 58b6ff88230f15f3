//! From files to an import: every row that cannot be is told with its place, its field, and what to
//! do. No message repeats a value: it may be a secret.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fleet_store::{DirectoryImport, RowProblem};
use serde::de::DeserializeOwned;

use super::cells::Cell;
use super::csv;

/// No file of a directory is larger.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Said of a field that rows of its kind do not have.
const NO_FIELD: &str = " is no field here";

/// The kinds of rows that files may hold.
pub(crate) type Sections = &'static [&'static str];

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file.
    pub(crate) file: String,
    /// Its number among the rows of its kind in this file, from 1; 0 = the file itself.
    pub(crate) row: usize,
    /// The line where it begins, if that can be told.
    pub(crate) line: Option<u64>,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) place: Option<Place>,
    /// The row and what to do.
    pub(crate) text: String,
}

impl Problem {
    pub(super) fn new(place: Place, text: &str) -> Self {
        Self { place: Some(place), text: text.to_owned() }
    }

    /// `clients.csv row 3 (line 4): client_id must be a whole number`.
    pub(crate) fn line(&self) -> String {
        let Some(place) = &self.place else { return self.text.clone() };
        let row = if place.row == 0 { String::new() } else { format!(" row {}", place.row) };
        let line = place.line.map_or_else(String::new, |line| format!(" (line {line})"));
        format!("{}{row}{line}: {}", place.file, self.text)
    }
}

/// A row before it has a type.
pub(super) enum Raw {
    Toml(toml::Value),
    Cells(Cell),
}

/// An import with the place of each of its rows.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) import: DirectoryImport,
    places: BTreeMap<&'static str, Vec<Place>>,
}

impl Raw {
    /// The field, or the name of one, that holds what no text of a set-up holds. Lines may end.
    fn odd_field(&self) -> Option<String> {
        match self {
            Self::Toml(value) => odd_in_toml("", value),
            Self::Cells(cell) => {
                cell.texts("").into_iter().find(|(_, text)| is_odd(text)).map(|(name, _)| name)
            }
        }
    }
}

fn is_odd(text: &str) -> bool {
    text.chars().any(|sign| sign.is_control() && !matches!(sign, '\n' | '\r' | '\t'))
}

fn odd_in_toml(path: &str, value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => is_odd(text).then(|| path.to_owned()),
        toml::Value::Array(list) => list.iter().find_map(|value| odd_in_toml(path, value)),
        toml::Value::Table(table) => table.iter().find_map(|(name, value)| {
            let at = if path.is_empty() { String::new() } else { format!("{path}.") };
            if is_odd(name) {
                Some(format!("{at}a field's name"))
            } else {
                odd_in_toml(&format!("{at}{name}"), value)
            }
        }),
        toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => None,
    }
}

impl Files {
    /// What the store found wrong, with its place.
    pub(crate) fn placed(&self, problem: &RowProblem) -> Problem {
        let places = self.places.get(problem.section);
        let place = places.and_then(|places| places.get(problem.index)).cloned();
        Problem { place, text: problem.to_string() }
    }

    /// Columns that stand twice, or that no row of this kind has.
    pub(super) fn wrong_columns(section: &'static str, names: &[&str]) -> Vec<String> {
        let mut wrong = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let before = names.iter().take(index);
            let inner = format!("{name}.");
            if before.clone().any(|other| other == name) {
                wrong.push(format!("the column {name} stands twice"));
            } else if names.iter().any(|other| other.starts_with(&inner)) {
                wrong.push(format!("{name} is a column and the begin of another: take one away"));
            } else {
                let place = Place { file: String::new(), row: 0, line: None };
                // A row of nothing but this column: what else it lacks is of no interest here.
                let row = Raw::Cells(Cell::row([(*name, "x")].into_iter()));
                let taken = Self::default().take(section, place, row);
                let problem = taken.err().map(|problem| problem.text).unwrap_or_default();
                if problem.contains(NO_FIELD) {
                    wrong.push(problem);
                }
            }
        }
        wrong
    }

    fn take(&mut self, section: &'static str, place: Place, raw: Raw) -> Result<(), Problem> {
        if let Some(field) = raw.odd_field() {
            let text = format!("{section}: {field} holds a control character: take it out");
            return Err(Problem { place: Some(place), text });
        }
        let import = &mut self.import;
        let taken = match section {
            "client" => push(&mut import.clients, raw),
            "connector" => push(&mut import.connectors, raw),
            "product" => push(&mut import.products, raw),
            "plan" => push(&mut import.plans, raw),
            "source" => push(&mut import.sources, raw),
            "reason" => push(&mut import.reasons, raw),
            "template" => push(&mut import.templates, raw),
            "terms" => push(&mut import.terms, raw),
            "country" => push(&mut import.countries, raw),
            "operator" => push(&mut import.operators, raw),
            "prefix" => push(&mut import.prefixes, raw),
            "ported" => push(&mut import.ported, raw),
            _ => Err("is no kind of row".to_owned()),
        };
        match taken {
            Ok(()) => {
                self.places.entry(section).or_default().push(place);
                Ok(())
            }
            Err(text) => Err(Problem { place: Some(place), text: format!("{section}: {text}") }),
        }
    }
}

/// Reads files that may hold rows of these kinds; all problems, or the import.
pub(crate) fn read(files: &[PathBuf], sections: Sections) -> Result<Files, Vec<Problem>> {
    let mut read = Files::default();
    let mut problems = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let text = match text_of(file) {
            Ok(text) => text,
            Err(text) => {
                problems.push(Problem::new(Place { file: name, row: 0, line: None }, &text));
                continue;
            }
        };
        let is_csv = file.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        let rows = if is_csv {
            csv::rows(&name, &text, sections, &mut problems)
        } else {
            toml_rows(&name, &text, sections, &mut problems)
        };
        for (section, place, raw) in rows {
            problems.extend(read.take(section, place, raw).err());
        }
    }
    if problems.is_empty() { Ok(read) } else { Err(problems) }
}

fn text_of(file: &PathBuf) -> Result<String, String> {
    let size = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
    }
    std::fs::read_to_string(file).map_err(|error| error.to_string())
}

fn toml_rows(
    file: &str,
    text: &str,
    sections: Sections,
    problems: &mut Vec<Problem>,
) -> Vec<(&'static str, Place, Raw)> {
    let place = |row: usize, line: Option<u64>| Place { file: file.to_owned(), row, line };
    let mut rows = Vec::new();
    let table: toml::Table = match toml::from_str(text) {
        Ok(table) => table,
        Err(error) => {
            // toml's full text would quote the line, and a line may hold a secret.
            let line = error.span().map(|span| line_of(text, span.start));
            problems.push(Problem::new(place(0, line), error.message()));
            return rows;
        }
    };
    for (name, value) in table {
        let Some(section) = sections.iter().find(|section| **section == name) else {
            let what = format!("{name}: only {} may stand here", sections.join(", "));
            problems.push(Problem::new(place(0, None), &what));
            continue;
        };
        let toml::Value::Array(list) = value else {
            let what = format!("{name}: must be written [[{name}]]");
            problems.push(Problem::new(place(0, None), &what));
            continue;
        };
        let lines = header_lines(text, section);
        for (index, row) in list.into_iter().enumerate() {
            let place = place(index.saturating_add(1), lines.get(index).copied());
            rows.push((*section, place, Raw::Toml(row)));
        }
    }
    rows
}

/// The number of the line in which a byte stands.
fn line_of(text: &str, byte: usize) -> u64 {
    let before = text.bytes().take(byte).filter(|byte| *byte == b'\n').count();
    u64::try_from(before).unwrap_or(0).saturating_add(1)
}

/// The lines that say `[[section]]`.
fn header_lines(text: &str, section: &str) -> Vec<u64> {
    let head = format!("[[{section}]]");
    let lines = (1..).zip(text.lines());
    lines.filter(|(_, line)| line.trim_start().starts_with(&head)).map(|(n, _)| n).collect()
}

fn push<T: DeserializeOwned>(rows: &mut Vec<T>, raw: Raw) -> Result<(), String> {
    let row = match raw {
        Raw::Toml(value) => serde_path_to_error::deserialize(value)
            .map_err(|error| what_to_do(&error.path().to_string(), error.inner().message())),
        Raw::Cells(cells) => serde_path_to_error::deserialize(cells)
            .map_err(|error| what_to_do(&error.path().to_string(), &error.inner().to_string())),
    };
    rows.push(row?);
    Ok(())
}

/// serde's text without any value.
fn what_to_do(path: &str, text: &str) -> String {
    let at = |field: &str| match (path, field) {
        (".", field) => field.to_owned(),
        (path, "") => path.to_owned(),
        (path, field) => format!("{path}.{field}"),
    };
    let quoted = |text: &str, begin: &str| {
        text.strip_prefix(begin).and_then(|rest| rest.split('`').next()).map(str::to_owned)
    };
    if let Some(field) = quoted(text, "missing field `") {
        return format!("{} is missing", at(&field));
    }
    if let Some(field) = quoted(text, "unknown field `") {
        let known = text.split_once("expected ").map_or("others", |(_, known)| known);
        // serde_path_to_error counts the unknown field itself into the path.
        let path = if path.ends_with(&field) { path.to_owned() } else { at(&field) };
        return format!("{path}{NO_FIELD}: there are {known}");
    }
    if text.starts_with("must be ") {
        return format!("{} {text}", at(""));
    }
    match text.rsplit_once("expected ") {
        Some((_, wanted)) => format!("{} must be {}", at(""), plainly(wanted)),
        None => format!("{} cannot be read", at("")),
    }
}

/// serde's words for types, for people.
fn plainly(wanted: &str) -> String {
    match wanted.trim() {
        "i16" | "i32" | "i64" | "u16" | "u32" | "u64" => "a whole number".to_owned(),
        "a string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        other if other.starts_with("struct ") || other == "a map" => "a table".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Sections = &["client", "product", "terms", "prefix", "operator"];

    fn read_text(name: &str, text: &str) -> Result<Files, Vec<String>> {
        let folder = std::env::temp_dir().join(format!("fleet-files-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        let read = read(&[file], ALL);
        std::fs::remove_dir_all(&folder).unwrap();
        let folder = format!("{}/", folder.display());
        read.map_err(|all| all.iter().map(|one| one.line().replace(&folder, "")).collect())
    }

    #[test]
    fn each_wrong_row_is_told_with_its_place_and_field_and_no_value() {
        let text = "[[client]]\nclient_id = 1\nname = \"a\"\n\n[[client]]\nclient_id = \"4111\"\n\
                    name = \"b\"\n[[client]]\nclient_id = 3\nname = \"c\"\nsignature_secret = 4111\n\
                    [[client]]\nname = \"d\"\n[[client]]\nclient_id = 5\nname = \"e\"\ncolour = 4111\n\
                    [client.ipn]\nform = \"4111\"\n[[terms]]\nproduct_id = true\n[[shop]]\na = 1\n";
        let problems = read_text("x.toml", text).unwrap_err();
        assert!(problems.iter().all(|problem| !problem.contains("4111")), "{problems:#?}");
        for told in [
            "x.toml row 2 (line 5): client: client_id must be a whole number",
            "x.toml row 3 (line 8): client: signature_secret must be a text",
            "x.toml row 4 (line 12): client: client_id is missing",
            "x.toml row 5 (line 14): client: colour is no field here: there are one of",
            "x.toml row 1 (line 20): terms: product_id must be a whole number",
            "x.toml: shop: only client, product, terms, prefix, operator may stand here",
        ] {
            assert!(
                problems.iter().any(|problem| problem.starts_with(told)),
                "{told}: {problems:#?}"
            );
        }
        assert_eq!(problems.len(), 6);
        let broken = read_text("x.toml", "[[client]]\nname = \"4111\nclient_id = 1").unwrap_err();
        assert!(
            broken[0].starts_with("x.toml (line 2): ") && !broken[0].contains("4111"),
            "{broken:?}"
        );
    }

    #[test]
    fn a_csv_files_header_tells_its_kind_and_each_wrong_row_is_told() {
        let text = "product_id,client,client_share.basis_points,settlement\n\
                    101,*,250,net\n102,1001,4111x,net\n,,,\n103,7,1,4111\n104,7\n";
        let problems = read_text("t.csv", text).unwrap_err();
        assert_eq!(
            problems,
            [
                "t.csv row 5 (line 6): must have as many cells as the first line, in UTF-8",
                "t.csv row 2 (line 3): terms: client_share.basis_points must be a whole number",
                "t.csv row 3 (line 4): terms: product_id is missing",
                "t.csv row 4 (line 5): terms: settlement must be `gross` or `net`",
            ]
        );
        let good = read_text("t.csv", "prefix,operator\n2782,65501\n2783, 65510\n").unwrap();
        assert_eq!(good.import.prefixes.len(), 2);
        assert_eq!(good.import.prefixes[1].operator, "65510");
        let unknown = read_text("t.csv", "a,b\n1,2\n").unwrap_err();
        assert!(unknown[0].starts_with("t.csv (line 1): the first line must name"), "{unknown:?}");
    }
}
