//! Accounts of venues where everybody may see what an account does.

use std::fmt;
use std::str::FromStr;

/// An account by its address: `0x` and 40 hexadecimal digits, kept in small letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(String);

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no address: 0x and 40 hexadecimal digits")]
pub struct AccountError(String);

impl Account {
    /// The address in small letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Account {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, AccountError> {
        const DIGITS: usize = 40;
        // Capitals are a checksum of the address, which the venue does not look at.
        let small = text.trim().to_ascii_lowercase();
        let is_address = small.strip_prefix("0x").is_some_and(|digits| {
            digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        if is_address { Ok(Self(small)) } else { Err(AccountError(text.chars().take(60).collect())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_small_letters() {
        let account: Account = " 0xDFc24b077bc1425AD1DEA75bCB6F8158E10Df303".parse().unwrap();
        assert_eq!(account.as_str(), "0xdfc24b077bc1425ad1dea75bcb6f8158e10df303");
    }

    #[test]
    fn what_is_no_address_is_named() {
        for bad in [
            "",
            "0x",
            "dfc24b077bc1425ad1dea75bcb6f8158e10df303",
            "0xdfc24b077bc1425ad1dea75bcb6f8158e10df30",
            "0xdfc24b077bc1425ad1dea75bcb6f8158e10df3033",
            "0xdfc24b077bc1425ad1dea75bcb6f8158e10df30g",
        ] {
            let error = bad.parse::<Account>().unwrap_err().to_string();
            assert_eq!(error, format!("'{bad}' is no address: 0x and 40 hexadecimal digits"));
        }
    }
}
