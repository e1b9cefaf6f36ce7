//! Which parameters apply to which contract.

use liqheat_market::{Instrument, Symbol, Venue};

use crate::params::Params;

/// Parameters by venue and symbol. The most particular section applies: venue and symbol, before venue, before symbol,
/// before the one for all. Without any, those of the book that this one replaced, and last the default parameters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParamBook {
    sections: Vec<ParamSection>,
    /// What applies where no section does.
    replaced: Option<Box<ParamBook>>,
}

/// Parameters and what they apply to.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSection {
    /// Of this venue only.
    pub venue: Option<Venue>,
    /// Of this symbol only.
    pub symbol: Option<Symbol>,
    /// The parameters.
    pub params: Params,
}

impl ParamSection {
    fn applies_to(&self, instrument: &Instrument) -> bool {
        self.venue.is_none_or(|venue| venue == instrument.venue)
            && self.symbol.as_ref().is_none_or(|symbol| *symbol == instrument.symbol)
    }

    const fn particularity(&self) -> u8 {
        2 * self.venue.is_some() as u8 + self.symbol.is_some() as u8
    }
}

impl ParamBook {
    /// A section replaces an earlier one for the same venue and symbol.
    #[must_use]
    pub fn with(mut self, section: ParamSection) -> Self {
        self.sections.retain(|known| (known.venue, &known.symbol) != (section.venue, &section.symbol));
        self.sections.push(section);
        self
    }

    /// Another book, and this one where none of its sections applies.
    #[must_use]
    pub fn replaced_by(self, other: Self) -> Self {
        Self { replaced: Some(Box::new(self)), ..other }
    }

    /// The sections, in the order in which they were added.
    #[must_use]
    pub fn sections(&self) -> &[ParamSection] {
        &self.sections
    }

    /// The parameters of a contract.
    #[must_use]
    pub fn of(&self, instrument: &Instrument) -> Params {
        let fitting = self.sections.iter().filter(|section| section.applies_to(instrument));
        let chosen = fitting.max_by_key(|section| section.particularity());
        let of_replaced = || self.replaced.as_ref().map_or_else(Params::default, |book| book.of(instrument));
        chosen.map_or_else(of_replaced, |section| section.params.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::ParamValues;

    #[test]
    fn the_most_particular_section_applies() {
        let btc = || Symbol::new("BTCUSDT").unwrap();
        let params =
            |turnover_share| Params::new(ParamValues { turnover_share, ..ParamValues::default() }).unwrap();
        let section = |venue, symbol, share| ParamSection { venue, symbol, params: params(share) };
        let book = ParamBook::default()
            .with(section(Some(Venue::Okx), Some(btc()), 0.4))
            .with(section(None, None, 0.1))
            .with(section(None, Some(btc()), 0.2))
            .with(section(Some(Venue::Okx), None, 0.3));
        let share = |book: &ParamBook, venue, symbol: &str| {
            let instrument = Instrument::new(venue, Symbol::new(symbol).unwrap());
            book.of(&instrument).values().turnover_share
        };
        assert_eq!(share(&book, Venue::Okx, "BTCUSDT"), 0.4);
        assert_eq!(share(&book, Venue::Okx, "ETHUSDT"), 0.3);
        assert_eq!(share(&book, Venue::Bybit, "BTCUSDT"), 0.2);
        assert_eq!(share(&book, Venue::Bybit, "ETHUSDT"), 0.1);
        let other = ParamBook::default().with(section(Some(Venue::Okx), None, 0.5));
        let replaced = book.replaced_by(other);
        assert_eq!(share(&replaced, Venue::Okx, "ETHUSDT"), 0.5);
        assert_eq!(share(&replaced, Venue::Okx, "BTCUSDT"), 0.5, "before any section of the other");
        assert_eq!((replaced.sections().len(), share(&replaced, Venue::Bybit, "BTCUSDT")), (1, 0.2));
        let none = Instrument::new(Venue::Sim, btc());
        assert_eq!(ParamBook::default().of(&none), Params::default());
    }
}
