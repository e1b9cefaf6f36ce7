//! What a client offers in `Sec-WebSocket-Protocol` and `Sec-WebSocket-Extensions`, and what is agreed on.
//!
//! The one extension is permessage-deflate (RFC 7692) without context takeover on either side: on ours, so that
//! a compressed frame is the same bytes for everybody, and on the client's, so that one inflater serves all
//! connections. An offer that asks for a smaller window of the server is passed over, because shared frames are
//! compressed with the full one. Offers come in the client's order; the first that can be met is taken.

/// The answer to an offer of permessage-deflate that can be met; `None` when there is none.
pub(crate) fn agree_on_deflate<'a>(values: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    values.flat_map(|value| split(value, ',')).find_map(answer)
}

/// The subprotocol to confirm out of those offered: the first of `preferred` that is among them.
pub(crate) fn agree_on_protocol<'a>(
    values: impl Iterator<Item = &'a str>,
    preferred: &[&'static str],
) -> Option<&'static str> {
    let offered: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    preferred.iter().copied().find(|name| offered.contains(name))
}

const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
/// An offer that names the server's window wants it named in the answer (RFC 7692, 7.1.2.1).
const ANSWER_WITH_WINDOW: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15";

/// The answer to one offer.
fn answer(offer: &str) -> Option<&'static str> {
    let mut parts = split(offer, ';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("permessage-deflate") {
        return None;
    }
    let mut parameters = Vec::new();
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(unquoted(value.trim()))),
            None => (part, None),
        };
        let bits = || value.and_then(window_bits);
        let acceptable = match name {
            "server_no_context_takeover" | "client_no_context_takeover" => value.is_none(),
            "server_max_window_bits" => bits() == Some(15),
            "client_max_window_bits" => value.is_none() || bits().is_some(),
            _ => false,
        };
        // An offer may hold a parameter once only.
        if !acceptable || parameters.contains(&name) {
            return None;
        }
        parameters.push(name);
    }
    Some(if parameters.contains(&"server_max_window_bits") { ANSWER_WITH_WINDOW } else { ANSWER })
}

/// 8 to 15, without leading zeros.
fn window_bits(text: &str) -> Option<u8> {
    let bits: u8 = text.parse().ok()?;
    ((8..=15).contains(&bits) && bits.to_string() == text).then_some(bits)
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

/// The parts between separators outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |char| {
        quoted ^= char == '"';
        char == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_offer_that_can_be_met_is_taken() {
        for (offers, agreed) in [
            (&[][..], None),
            (&[""], None),
            (&["permessage-deflate"], Some(ANSWER)),
            (&["PerMessage-Deflate"], Some(ANSWER)),
            // Chromium, Firefox, npm ws, Python websockets.
            (&["permessage-deflate; client_max_window_bits"], Some(ANSWER)),
            (&["permessage-deflate"], Some(ANSWER)),
            (&["permessage-deflate; client_max_window_bits=12"], Some(ANSWER)),
            (&["permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"], None),
            (&["permessage-deflate;server_no_context_takeover;client_no_context_takeover"], Some(ANSWER)),
            (&["permessage-deflate; server_max_window_bits=15"], Some(ANSWER_WITH_WINDOW)),
            (&["permessage-deflate; server_max_window_bits=\"15\""], Some(ANSWER_WITH_WINDOW)),
            (&["permessage-deflate; server_max_window_bits"], None),
            (&["permessage-deflate; server_max_window_bits=015"], None),
            (&["permessage-deflate; client_max_window_bits=7"], None),
            (&["permessage-deflate; client_max_window_bits=16"], None),
            (&["permessage-deflate; client_max_window_bits; client_max_window_bits"], None),
            (&["permessage-deflate; server_no_context_takeover=1"], None),
            (&["permessage-deflate; mode=fast"], None),
            (&["permessage-deflate; mode=\"a, permessage-deflate\""], None),
            (&["permessage-deflate;"], None),
            (&["permessage-bzip2"], None),
            (&["x-other; a=b, permessage-deflate"], Some(ANSWER)),
            // The fallback of a client that would like smaller windows.
            (&["permessage-deflate; server_max_window_bits=10, permessage-deflate"], Some(ANSWER)),
            (&["permessage-deflate; server_max_window_bits=10", "permessage-deflate"], Some(ANSWER)),
        ] {
            assert_eq!(agree_on_deflate(offers.iter().copied()), agreed, "{offers:?}");
        }
    }

    #[test]
    fn the_preferred_protocol_is_taken() {
        let known = ["b", "a"];
        for (offers, agreed) in [
            (&[][..], None),
            (&["a"], Some("a")),
            (&["a, b"], Some("b")),
            (&["a", "b"], Some("b")),
            (&["bearer.x.y.z, a"], Some("a")),
            (&["A"], None),
            (&["ab"], None),
        ] {
            assert_eq!(agree_on_protocol(offers.iter().copied(), &known), agreed, "{offers:?}");
        }
    }
}
