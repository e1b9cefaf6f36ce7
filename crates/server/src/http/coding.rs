//! Which codings of a body a client accepts.

/// Whether a list of `Accept-Encoding` allows a coding by its name.
pub(crate) fn is_coding_accepted(list: &str, coding: &str) -> bool {
    list.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let is_refused = |part: &str| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0f32));
        is_named && !parts.any(is_refused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_who_accept_a_coding_get_it() {
        for yes in ["gzip", "br, gzip", "deflate;q=1.0,GZIP;q=0.1", "gzip, deflate, br, zstd"] {
            assert!(is_coding_accepted(yes, "gzip"), "{yes}");
        }
        for no in ["", "br", "gzip;q=0", "deflate, gzip; q=0.000", "xgzip", "*"] {
            assert!(!is_coding_accepted(no, "gzip"), "{no}");
        }
        assert!(is_coding_accepted("gzip, deflate, br", "br") && !is_coding_accepted("gzip, brotli", "br"));
    }
}
