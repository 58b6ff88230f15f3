//! A request's head as it came over the wire. The parser behind us repairs what is ambiguous (it drops
//! one of two lengths, for example) before anybody can see it; software in front of us may have
//! repaired it the other way, and then the two do not agree where the next request begins.

/// So much of a path tells whose it is.
const PATH_CHARS_MAX: usize = 64;

/// What follows the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// So many bytes.
    Bytes(u64),
    /// Chunks, until the last one.
    Chunked,
}

/// Why a request ends with its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Neither request line nor header line, or one that different software reads differently.
    Malformed,
    /// No single length.
    Length,
    /// No single host.
    Host,
    /// A body in a coding that we do not undo.
    Coding,
    /// A head beyond the cap.
    TooLong,
}

/// Reads a whole head, from its request line to the empty line at its end.
pub(super) fn read(head: &[u8]) -> Result<Length, Refusal> {
    let head = head.strip_suffix(b"\r\n\r\n").ok_or(Refusal::Malformed)?;
    let mut lines = Lines(Some(head));
    let is_http_11 = version(lines.next().ok_or(Refusal::Malformed)??)?;
    let (mut hosts, mut lengths, mut codings) = (Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        let (name, value) = field(line?)?;
        if name.eq_ignore_ascii_case(b"host") {
            hosts.push(value);
        } else if name.eq_ignore_ascii_case(b"content-length") {
            lengths.push(value);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            codings.push(value);
        } else if name.eq_ignore_ascii_case(b"content-encoding") && !is_identity(value) {
            return Err(Refusal::Coding);
        }
    }
    match hosts.as_slice() {
        [host] if is_host(host) => {}
        [] if !is_http_11 => {}
        _ => return Err(Refusal::Host),
    }
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(Length::Bytes(0)),
        ([length], []) => decimal(length).map(Length::Bytes).ok_or(Refusal::Length),
        ([], [coding]) if is_http_11 && coding.eq_ignore_ascii_case(b"chunked") => {
            Ok(Length::Chunked)
        }
        _ => Err(Refusal::Length),
    }
}

/// The path that a head asks for, whatever else is wrong with it; empty where none can be read.
pub(super) fn path(head: &[u8]) -> String {
    let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let target = line.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let path = target.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
    let path = std::str::from_utf8(path).unwrap_or_default();
    path.chars().take(PATH_CHARS_MAX).collect()
}

/// Lines that end with CR and LF; either of them alone is no end of a line and no part of one.
struct Lines<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0?;
        let (line, after) = match rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            None => (rest, None),
            Some(at) => {
                let (line, end) = rest.split_at_checked(at)?;
                let Some(after) = end.strip_prefix(b"\r\n") else {
                    self.0 = None;
                    return Some(Err(Refusal::Malformed));
                };
                (line, Some(after))
            }
        };
        self.0 = after;
        Some(Ok(line))
    }
}

/// Whether the request line says HTTP/1.1; nothing else than that and HTTP/1.0 is served.
fn version(line: &[u8]) -> Result<bool, Refusal> {
    let parts: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    match parts.as_slice() {
        [method, target, b"HTTP/1.1"] if !method.is_empty() && !target.is_empty() => Ok(true),
        [method, target, b"HTTP/1.0"] if !method.is_empty() && !target.is_empty() => Ok(false),
        _ => Err(Refusal::Malformed),
    }
}

/// A header line's name, a token directly before the colon, and its value. A line that goes on with
/// the one before begins with a blank: that is no token either.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Refusal::Malformed)?;
    let (name, value) = line.split_at_checked(colon).ok_or(Refusal::Malformed)?;
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(Refusal::Malformed);
    }
    let value = value.get(1..).unwrap_or_default();
    // Blank is blank or tab here; any other space is part of the value.
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = value.iter().position(|byte| !is_blank(byte)).unwrap_or(value.len());
    let to =
        value.iter().rposition(|byte| !is_blank(byte)).map_or(from, |last| last.saturating_add(1));
    Ok((name, value.get(from..to).unwrap_or_default()))
}

/// What a name may be made of (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A number of bytes: digits and nothing else, no sign, no list.
fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.iter().all(u8::is_ascii_digit) && (1..=18).contains(&value.len());
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

/// One host, perhaps with a port. A list, blanks, user info or a path are none.
fn is_host(value: &[u8]) -> bool {
    let may = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(byte);
    !value.is_empty() && value.iter().all(may)
}

/// Whether nothing has to be undone; an empty value names no coding.
fn is_identity(value: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case(b"identity"))
}

/// Whether this is a trailer as it may stand after the last chunk.
pub(super) fn is_field(line: &[u8]) -> bool {
    field(line).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &str) -> Result<Length, Refusal> {
        read(format!("POST /x HTTP/1.1\r\n{lines}\r\n").as_bytes())
    }

    #[test]
    fn one_length_is_read_and_none_is_none() {
        assert_eq!(told("Host: x\r\n"), Ok(Length::Bytes(0)));
        assert_eq!(told("Host: x\r\ncontent-LENGTH:\t12 \r\n"), Ok(Length::Bytes(12)));
        assert_eq!(told("Host: x\r\nTransfer-encoding: Chunked\r\n"), Ok(Length::Chunked));
        assert_eq!(read(b"GET / HTTP/1.0\r\n\r\n"), Ok(Length::Bytes(0)));
        assert_eq!(told("Host: [::1]:80\r\nTE: chunked\r\nX:\r\n"), Ok(Length::Bytes(0)));
    }

    #[test]
    fn two_lengths_or_one_in_another_spelling_are_no_length() {
        for lines in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\nX: 1\r\ncontent-length: 0\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -5\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length:\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: \u{b}chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: chunked;q=1\r\n",
            "Transfer-Encoding: \"chunked\"\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding:\r\n",
        ] {
            assert_eq!(told(&format!("Host: x\r\n{lines}")), Err(Refusal::Length), "{lines}");
        }
        let old = b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read(old), Err(Refusal::Length));
    }

    #[test]
    fn there_is_one_host_and_it_is_one() {
        for lines in [
            "",
            "Host: a\r\nHost: a\r\n",
            "host: a\r\nX: 1\r\nHOST: b\r\n",
            "Host:\r\n",
            "Host: a, b\r\n",
            "Host: a,b\r\n",
            "Host: u@a\r\n",
            "Host: a/b\r\n",
        ] {
            assert_eq!(told(lines), Err(Refusal::Host), "{lines}");
        }
        assert_eq!(read(b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), Err(Refusal::Host));
    }

    #[test]
    fn a_coding_of_the_body_is_refused_however_it_is_written() {
        for coding in ["gzip", "x-gzip", "GZip", "br", "identity, gzip", "gzip,identity", "zstd"] {
            let lines = format!("Host: x\r\nContent-Encoding: {coding}\r\n");
            assert_eq!(told(&lines), Err(Refusal::Coding), "{coding}");
        }
        let twice = "Host: x\r\nContent-Encoding: identity\r\ncontent-encoding: deflate\r\n";
        assert_eq!(told(twice), Err(Refusal::Coding));
        for coding in ["identity", "Identity", "", "identity, identity"] {
            let lines = format!("Host: x\r\nContent-Encoding: {coding}\r\n");
            assert_eq!(told(&lines), Ok(Length::Bytes(0)), "{coding}");
        }
    }

    #[test]
    fn a_line_that_software_reads_in_two_ways_is_malformed() {
        for lines in [
            "Host: x\r\n Content-Length: 5\r\n",
            "Host: x\r\nContent-Length : 5\r\n",
            "Host: x\r\nContent-Length\t: 5\r\n",
            "Host: x\r\n\tfolded\r\n",
            "Host: x\nContent-Length: 5\r\n",
            "Host: x\r\nX: a\rContent-Length: 5\r\n",
            "Host: x\r\nno colon\r\n",
            "Host: x\r\n: nameless\r\n",
        ] {
            assert_eq!(told(lines), Err(Refusal::Malformed), "{lines}");
        }
        for line in [
            "POST /x",
            "POST  /x HTTP/1.1",
            "POST /x HTTP/1.1 ",
            "POST /x y HTTP/1.1",
            "POST /x HTTP/2.0",
            "POST /x http/1.1",
            " POST /x HTTP/1.1",
            "POST\t/x\tHTTP/1.1",
        ] {
            let head = format!("{line}\r\nHost: x\r\n\r\n");
            assert_eq!(read(head.as_bytes()), Err(Refusal::Malformed), "{line}");
        }
    }
}
