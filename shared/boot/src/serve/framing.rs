//! Where one request ends and the next one begins, followed beside the parser behind us. It reads
//! what a valid message is and no more, so that the parser never finds a head that was not looked at.

use super::HEADER_BYTES_MAX;
use super::head::{self, Length, Refusal};

/// A chunk's size with whatever stands behind it.
const SIZE_LINE_MAX: usize = 256;
/// All trailers of one body.
const TRAILERS_MAX: usize = 8_192;

/// What stands at the beginning of the bytes that have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// So many bytes that may be passed on.
    Pass(usize),
    /// So many bytes that mean nothing.
    Skip(usize),
    /// Too few to tell.
    More,
    /// A head that nothing may follow.
    Refused(Refusal),
    /// A body that is not what its head says.
    Broken,
}

#[derive(Debug, Clone, Copy)]
enum At {
    /// In a head, of which so many bytes have been searched for its end.
    Head(usize),
    Body(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    /// In the trailers; so many bytes of them are over.
    Trailers(usize),
}

/// The place in one connection's requests.
#[derive(Debug)]
pub(super) struct Framing {
    at: At,
    /// Heads that were passed on.
    pub(super) heads: u64,
}

impl Framing {
    pub(super) const fn new() -> Self {
        Self { at: At::Head(0), heads: 0 }
    }

    /// Looks at what has arrived and was neither passed on nor skipped yet.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Next {
        if bytes.is_empty() {
            return Next::More;
        }
        match self.at {
            At::Head(searched) => self.head(bytes, searched),
            At::Body(left) => self.data(bytes, left, At::Body, At::Head(0)),
            At::Chunk(left) => self.data(bytes, left, At::Chunk, At::ChunkEnd),
            At::ChunkSize => self.chunk_size(bytes),
            At::ChunkEnd => match line(bytes, 0) {
                Line::Whole([]) => self.pass(2, At::ChunkSize),
                Line::Part => Next::More,
                Line::Whole(_) | Line::None => Next::Broken,
            },
            At::Trailers(over) => self.trailer(bytes, over),
        }
    }

    fn pass(&mut self, bytes: usize, at: At) -> Next {
        self.at = at;
        Next::Pass(bytes)
    }

    fn head(&mut self, bytes: &[u8], searched: usize) -> Next {
        // A line too many after a body; robust servers pass over it (RFC 9112, 2.2).
        if bytes.starts_with(b"\r\n") {
            self.at = At::Head(0);
            return Next::Skip(2);
        }
        let from = searched.saturating_sub(3);
        let new = bytes.get(from..).unwrap_or_default();
        let end = new.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.map(|at| from.saturating_add(at).saturating_add(4));
        if end.unwrap_or(bytes.len()) > HEADER_BYTES_MAX {
            return Next::Refused(Refusal::TooLong);
        }
        let Some(end) = end else {
            // Waiting for the end of what will not be taken anyway would only look like a slow answer.
            let bare = |two: &[u8]| matches!(two, [before, b'\n'] if *before != b'\r');
            if bytes.starts_with(b"\n") || new.windows(2).any(bare) {
                return Next::Refused(Refusal::Malformed);
            }
            self.at = At::Head(bytes.len());
            return Next::More;
        };
        match head::read(bytes.get(..end).unwrap_or_default()) {
            Ok(length) => {
                self.heads = self.heads.saturating_add(1);
                let at = match length {
                    Length::Bytes(0) => At::Head(0),
                    Length::Bytes(left) => At::Body(left),
                    Length::Chunked => At::ChunkSize,
                };
                self.pass(end, at)
            }
            Err(refusal) => Next::Refused(refusal),
        }
    }

    fn data(&mut self, bytes: &[u8], left: u64, within: fn(u64) -> At, after: At) -> Next {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left.saturating_sub(u64::try_from(here).unwrap_or(u64::MAX));
        self.pass(here, if left == 0 { after } else { within(left) })
    }

    fn chunk_size(&mut self, bytes: &[u8]) -> Next {
        let line = match line(bytes, SIZE_LINE_MAX) {
            Line::Whole(line) => line,
            Line::Part => return Next::More,
            Line::None => return Next::Broken,
        };
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extension) = line.split_at_checked(digits).unwrap_or_default();
        // Blanks before an extension are bad and allowed (RFC 9112, 7.1.1); without one they are not.
        if !matches!(extension.trim_ascii_start().first(), None | Some(b';'))
            || (!extension.is_empty() && extension.trim_ascii().is_empty())
        {
            return Next::Broken;
        }
        let size = std::str::from_utf8(size).ok().filter(|size| (1..=15).contains(&size.len()));
        let Some(size) = size.and_then(|size| u64::from_str_radix(size, 16).ok()) else {
            return Next::Broken;
        };
        let at = if size == 0 { At::Trailers(0) } else { At::Chunk(size) };
        self.pass(line.len().saturating_add(2), at)
    }

    fn trailer(&mut self, bytes: &[u8], over: usize) -> Next {
        match line(bytes, TRAILERS_MAX.saturating_sub(over)) {
            Line::Whole([]) => self.pass(2, At::Head(0)),
            Line::Whole(line) if head::is_field(line) => {
                let here = line.len().saturating_add(2);
                self.pass(here, At::Trailers(over.saturating_add(here)))
            }
            Line::Part => Next::More,
            Line::Whole(_) | Line::None => Next::Broken,
        }
    }
}

enum Line<'a> {
    /// All before CR and LF.
    Whole(&'a [u8]),
    /// Its end has not arrived.
    Part,
    /// Longer than allowed, or ended in another way.
    None,
}

fn line(bytes: &[u8], max: usize) -> Line<'_> {
    let end =
        bytes.iter().take(max.saturating_add(1)).position(|byte| matches!(byte, b'\r' | b'\n'));
    let Some((line, end)) = end.and_then(|end| bytes.split_at_checked(end)) else {
        return if bytes.len() > max { Line::None } else { Line::Part };
    };
    match end {
        [b'\r', b'\n', ..] => Line::Whole(line),
        [b'\r'] => Line::Part,
        _ => Line::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &str = "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// Feeds the bytes in pieces of this size; what is passed on, and what came of the rest.
    fn fed(bytes: &[u8], piece: usize) -> (Vec<u8>, Next, u64) {
        let (mut framing, mut held, mut passed) = (Framing::new(), Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            held.extend_from_slice(piece);
            loop {
                match framing.next(&held) {
                    Next::Pass(count) => passed.extend(held.drain(..count)),
                    Next::Skip(count) => drop(held.drain(..count)),
                    Next::More => break,
                    end @ (Next::Refused(_) | Next::Broken) => {
                        return (passed, end, framing.heads);
                    }
                }
            }
        }
        (passed, Next::More, framing.heads)
    }

    fn assert_fed(text: &str, passed: &str, end: Next, heads: u64) {
        for piece in [1, 2, 3, 7, 64, 100_000] {
            let told = fed(text.as_bytes(), piece);
            let told = (String::from_utf8(told.0).unwrap(), told.1, told.2);
            assert_eq!(told, (passed.to_owned(), end, heads), "{text:?} in pieces of {piece}");
        }
    }

    #[test]
    fn a_body_that_looks_like_a_head_is_a_body() {
        let inner = "POST /b HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let size = inner.len();
        let one = format!("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n{inner}");
        let two = format!("{CHUNKED}{size:X};a=\"b\"\r\n{inner}\r\n000\r\nX-Sum: 1\r\n\r\n");
        let three = "GET /d HTTP/1.1\r\nHost: x\r\n\r\n";
        let all = format!("{one}{two}{three}{two}{one}");
        assert_fed(&all, &all, Next::More, 5);
        let more = format!("{one}\r\n{three}");
        assert_fed(&more, &format!("{one}{three}"), Next::More, 2);
    }

    #[test]
    fn nothing_is_passed_on_from_the_head_that_is_refused() {
        let right = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
        let both = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\
                    Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        let refused = Next::Refused(Refusal::Length);
        assert_fed(&format!("{right}{both}{right}"), right, refused, 1);
        assert_fed(&format!("{both}{right}"), "", refused, 0);
        let malformed = Next::Refused(Refusal::Malformed);
        for bare in ["GET / HTTP/1.1\nHost: x\n\n", "\nGET / HTTP/1.1\r\n", "hello\r\n\r\n"] {
            assert_fed(bare, "", malformed, 0);
        }
        let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(HEADER_BYTES_MAX));
        assert_fed(&long, "", Next::Refused(Refusal::TooLong), 0);
        assert_fed(&format!("{long}\r\n\r\n"), "", Next::Refused(Refusal::TooLong), 0);
    }

    #[test]
    fn chunks_that_are_none_end_the_connection() {
        for (body, passed) in [
            ("g\r\n", ""),
            ("\r\n", ""),
            ("-1\r\n", ""),
            ("0x3\r\nabc\r\n", ""),
            ("3 \r\nabc\r\n", ""),
            ("3\nabc\r\n", ""),
            ("3;a\nb\r\nabc\r\n", ""),
            ("FFFFFFFFFFFFFFFF\r\n", ""),
            ("3\r\nabcd\r\n", "3\r\nabc"),
            ("3\r\nabc\n0\r\n\r\n", "3\r\nabc"),
            ("0\r\nX Y: 1\r\n\r\n", "0\r\n"),
            ("0\r\nX: 1\n\r\n", "0\r\n"),
        ] {
            let text = format!("{CHUNKED}{body}");
            assert_fed(&text, &format!("{CHUNKED}{passed}"), Next::Broken, 1);
        }
        let long = format!("{CHUNKED}3;{}", "a".repeat(SIZE_LINE_MAX));
        assert_fed(&long, CHUNKED, Next::Broken, 1);
        let trailers = "X: 123456\r\n".repeat(1 + TRAILERS_MAX / 11);
        let text = format!("{CHUNKED}0\r\n{trailers}\r\n");
        assert_eq!(fed(text.as_bytes(), 64).1, Next::Broken);
    }
}
