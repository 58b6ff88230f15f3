//! Rows of a CSV file. The first line names the fields; whose rows they are follows from it.

use super::cells::Cell;
use super::read::{Files, Place, Problem, Raw, Sections};

/// A row of each kind has at least these fields; the more special kinds stand first.
const KINDS: [(&str, &[&str]); 8] = [
    ("client", &["client_id", "name"]),
    ("connector", &["name", "party", "adapter", "base_url"]),
    ("product", &["product_id", "name", "supplier"]),
    ("terms", &["product_id"]),
    ("country", &["code", "name", "calling_code"]),
    ("operator", &["code", "name", "country"]),
    ("prefix", &["prefix", "operator"]),
    ("ported", &["number", "operator"]),
];

pub(super) fn rows(
    file: &str,
    text: &str,
    sections: Sections,
    problems: &mut Vec<Problem>,
) -> Vec<(&'static str, Place, Raw)> {
    let mut rows = Vec::new();
    let mut reader =
        ::csv::ReaderBuilder::new().trim(::csv::Trim::All).from_reader(text.as_bytes());
    let place = |row: usize, line: u64| Place { file: file.to_owned(), row, line: Some(line) };
    let head = match reader.headers() {
        Ok(head) => head.clone(),
        Err(_) => {
            problems.push(Problem::new(place(0, 1), "the first line must name the fields"));
            return rows;
        }
    };
    let Some(section) = section_of(&head, sections) else {
        let texts = KINDS.iter().filter(|(name, _)| sections.contains(name));
        let texts: Vec<String> = texts.map(|(_, fields)| fields.join(",")).collect();
        let what = format!("the first line must name at least {}", texts.join(" or "));
        problems.push(Problem::new(place(0, 1), &what));
        return rows;
    };
    let names: Vec<&str> = head.iter().collect();
    let wrong = Files::wrong_columns(section, &names);
    if !wrong.is_empty() {
        problems.extend(wrong.iter().map(|what| Problem::new(place(0, 1), what)));
        return rows;
    }
    for (number, record) in (1..).zip(reader.records()) {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, ::csv::Position::line);
                let cells = Cell::row(head.iter().zip(record.iter()));
                rows.push((section, place(number, line), Raw::Cells(cells)));
            }
            Err(error) => {
                let line = error.position().map_or(0, ::csv::Position::line);
                let what = "must have as many cells as the first line, in UTF-8";
                problems.push(Problem::new(place(number, line), what));
            }
        }
    }
    rows
}

fn section_of(head: &::csv::StringRecord, sections: Sections) -> Option<&'static str> {
    let has = |field: &&str| head.iter().any(|name| name == *field);
    let fits =
        |(name, fields): &&(&str, &[&str])| sections.contains(name) && fields.iter().all(&has);
    KINDS.iter().find(fits).map(|(name, _)| *name)
}
