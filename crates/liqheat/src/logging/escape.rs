//! One event is one line: control characters inside of it are escaped.
//!
//! Values in a log line may come from anyone who can reach the server. A line break in one of them would begin a line
//! that looks like one of ours, and other control characters move the cursor of a terminal.

use std::borrow::Cow;

/// The line with its control characters escaped, except for the line break at its end and tabs. ESC stays where the
/// formatter writes colours itself; it escapes those of values on its own.
pub(super) fn escape(line: &[u8], keep_esc: bool) -> Cow<'_, [u8]> {
    let (body, end) = match line.strip_suffix(b"\n") {
        Some(body) => (body, &line[body.len()..]),
        None => (line, &line[line.len()..]),
    };
    let text = String::from_utf8_lossy(body);
    let must_escape = |char: char| char.is_control() && char != '\t' && !(keep_esc && char == '\u{1b}');
    if !text.chars().any(must_escape) {
        return Cow::Borrowed(line);
    }
    let mut escaped = String::with_capacity(line.len() + 16);
    for char in text.chars() {
        if must_escape(char) {
            escaped.extend(char.escape_debug());
        } else {
            escaped.push(char);
        }
    }
    let mut escaped = escaped.into_bytes();
    escaped.extend_from_slice(end);
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_begin_a_line() {
        for (line, keep_esc, expected) in [
            ("plain ä 币\tx\n", false, "plain ä 币\tx\n"),
            ("a\nERROR forged\n", false, "a\\nERROR forged\n"),
            ("a\r\nb\n\n", false, "a\\r\\nb\\n\n"),
            ("\u{1b}[2J\u{7}\u{0}\u{9b}x\n", false, "\\u{1b}[2J\\u{7}\\0\\u{9b}x\n"),
            ("\u{1b}[32mINFO\u{1b}[0m a\rb\n", true, "\u{1b}[32mINFO\u{1b}[0m a\\rb\n"),
            ("", false, ""),
            ("\n", false, "\n"),
        ] {
            let escaped = escape(line.as_bytes(), keep_esc);
            assert_eq!(String::from_utf8_lossy(&escaped), expected, "{line:?}");
        }
    }
}
