//! Addresses of accounts.

use std::fmt;
use std::str::FromStr;

/// The address of an account: 20 bytes, written as `0x` and 40 hexadecimal digits in small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 20]);

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no address: 0x and 40 hexadecimal digits")]
pub struct AddressError(String);

impl Address {
    /// The address with these 20 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let bytes = || {
            let digits = text.trim().strip_prefix("0x").or_else(|| text.trim().strip_prefix("0X"))?;
            let is_hexadecimal = digits.len() == 40 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let mut bytes = [0; 20];
            for (index, byte) in bytes.iter_mut().enumerate() {
                // Only ASCII digits were let through, so a pair of bytes is a pair of digits.
                *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok()?;
            }
            is_hexadecimal.then_some(bytes)
        };
        bytes().map(Self).ok_or_else(|| AddressError(text.chars().take(60).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_was_read_in_small_letters() {
        let address: Address = " 0xDFc24b077bc1425AD1DEA75bCB6F8158E10Df303".parse().unwrap();
        assert_eq!(address.to_string(), "0xdfc24b077bc1425ad1dea75bcb6f8158e10df303");
        for bad in [
            "",
            "0x",
            "0x12",
            "dfc24b077bc1425ad1dea75bcb6f8158e10df303",
            "0xzfc24b077bc1425ad1dea75bcb6f8158e10df303",
            "0xäc24b077bc1425ad1dea75bcb6f8158e10df303",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
        assert!(format!("{address}0").parse::<Address>().is_err());
        assert!("0x+fc24b077bc1425ad1dea75bcb6f8158e10df303".parse::<Address>().is_err());
    }
}
