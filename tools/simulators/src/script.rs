//! Which request meets which behaviour. Apart from the servers, because this table is what demos and tests steer by.

/// How the gateway treats a charge, told by the last two digits of its amount in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeScript {
    /// Charges and answers.
    Approve,
    /// `xx01`: says no for good.
    Decline,
    /// `xx02`: says "not now" to the first key seen for the order, and approves every later one.
    DeclineFirst,
    /// `xx03`: charges at once, answers the first request late.
    Slow,
    /// `xx04`: charges at once, and drops the connection of the first two requests of a key.
    DropTwice,
    /// `xx05`: answers 500 to the first two requests of a key, nothing being charged; then approves.
    FailTwice,
    /// `xx06`: charges nothing and never answers; the connection is held until the client goes.
    Never,
}

impl ChargeScript {
    /// The behaviour that an amount asks for.
    #[must_use]
    pub fn of(amount: i64) -> Self {
        match amount.rem_euclid(100) {
            1 => Self::Decline,
            2 => Self::DeclineFirst,
            3 => Self::Slow,
            4 => Self::DropTwice,
            5 => Self::FailTwice,
            6 => Self::Never,
            _ => Self::Approve,
        }
    }
}

/// How the carrier treats a shipment, told by its postal code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShipmentScript {
    /// Takes the parcel and answers.
    Ship,
    /// `00001`: says no for good.
    Refuse,
    /// `00002`: takes the parcel at once, answers the first request late.
    Slow,
    /// `00003`: takes the parcel at once, and drops the connection of the first request of a key.
    DropOnce,
    /// `00004`: answers 500 to the first two requests of a key, nothing being taken; then ships.
    FailTwice,
}

impl ShipmentScript {
    /// The behaviour that a postal code asks for.
    #[must_use]
    pub fn of(postal_code: &str) -> Self {
        match postal_code.trim() {
            "00001" => Self::Refuse,
            "00002" => Self::Slow,
            "00003" => Self::DropOnce,
            "00004" => Self::FailTwice,
            _ => Self::Ship,
        }
    }
}

/// How an answer is given, once it is known what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Now.
    AtOnce,
    /// After the slow time.
    Late,
    /// Never: the connection breaks before a byte is sent.
    Dropped,
    /// As status 500, which tells nothing.
    Failed,
    /// Never: the connection stays open.
    Held,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_two_digits_of_an_amount_choose_the_behaviour() {
        assert_eq!(ChargeScript::of(1), ChargeScript::Decline);
        assert_eq!(ChargeScript::of(129_901), ChargeScript::Decline);
        assert_eq!(ChargeScript::of(2_502), ChargeScript::DeclineFirst);
        assert_eq!(ChargeScript::of(2_506), ChargeScript::Never);
        assert_eq!(ChargeScript::of(2_507), ChargeScript::Approve);
        assert_eq!(ChargeScript::of(100), ChargeScript::Approve);
    }

    #[test]
    fn an_ordinary_postal_code_ships() {
        assert_eq!(ShipmentScript::of("10115"), ShipmentScript::Ship);
        assert_eq!(ShipmentScript::of("00001"), ShipmentScript::Refuse);
        assert_eq!(ShipmentScript::of("00004"), ShipmentScript::FailTwice);
    }
}
