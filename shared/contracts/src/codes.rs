//! Response codes of the purchase process (contracts, section 1) and what each means for us.

use fleet_domain::Party;

/// Accepted, or done.
pub const OK: &str = "0000";
/// An unexpected fault of ours.
pub const UNEXPECTED: &str = "0001";
/// Insufficient funds.
pub const INSUFFICIENT_FUNDS: &str = "2010";
/// Above the product's maximum.
pub const ABOVE_MAX: &str = "2040";
/// Below the product's minimum.
pub const BELOW_MIN: &str = "2050";
/// Not the fee of the product's rule.
pub const INVALID_FEE: &str = "2055";
/// We could not find out in time.
pub const INTERNAL_TIMEOUT: &str = "2060";
/// The source is blacklisted.
pub const SOURCE_BLACKLISTED: &str = "2070";
/// Unknown fault.
pub const UNKNOWN: &str = "2090";
/// The supplier could not complete.
pub const SUPPLIER_COULD_NOT: &str = "2201";
/// The supplier's volumes are exceeded.
pub const VOLUMES_EXCEEDED: &str = "2225";
/// Too many transactions; of ours: a similar purchase is in flight.
pub const TOO_MANY_TRANSACTIONS: &str = "2242";
/// Account validation: the supplier has no such service.
pub const SERVICE_NOT_FOUND: &str = "4010";
/// MNO lookup: no number of that country.
pub const WRONG_MSISDN: &str = "9010";
/// MNO lookup: nobody's number.
pub const OPERATOR_NOT_IDENTIFIED: &str = "9020";
/// MNO lookup: not found out in time.
pub const LOOKUP_TIMEOUT: &str = "9030";
/// Of ours, and never told to anybody: HTTP 429, the other side did not look at the request.
pub const ASKED_TOO_OFTEN: &str = "asked_too_often";
/// Malformed; the message names the field.
pub const BAD_FORMAT: &str = "4000";

/// What a bank's code tells about a reservation or a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BankMeaning {
    /// It did what was asked.
    Done,
    /// It refuses, for good.
    Refused,
    /// Not decided: the same reference again.
    Again,
}

/// Reads a bank's code. A code outside the tables is never taken for a refusal.
#[must_use]
pub fn bank_meaning(code: &str) -> BankMeaning {
    match code {
        OK => BankMeaning::Done,
        INSUFFICIENT_FUNDS | "2020" | "2030" | ABOVE_MAX | BELOW_MIN | INVALID_FEE
        | SOURCE_BLACKLISTED | "2080" | BAD_FORMAT => BankMeaning::Refused,
        _ => BankMeaning::Again,
    }
}

/// What a supplier's code tells about one vend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VendMeaning {
    /// Dispensed.
    Done,
    /// Refused for good: another vend would be refused too.
    Refused,
    /// This vend was refused; another may succeed, under a new vend number.
    NewVend,
    /// The supplier works on it: look up, never vend again.
    Pending,
    /// Nobody can tell: look up first.
    Unknown,
}

/// Reads a supplier's code. A code outside the tables means an unknown outcome, never a failure.
#[must_use]
pub fn vend_meaning(code: &str) -> VendMeaning {
    match code {
        OK => VendMeaning::Done,
        "2210" | "2213" | "2214" | TOO_MANY_TRANSACTIONS => VendMeaning::Refused,
        SUPPLIER_COULD_NOT | VOLUMES_EXCEEDED => VendMeaning::NewVend,
        "2236" | "2240" => VendMeaning::Pending,
        _ => VendMeaning::Unknown,
    }
}

/// Whether a party may answer this code: what its own words can be mapped to.
#[must_use]
pub fn is_read_from(party: Party, code: &str) -> bool {
    let again = matches!(code, UNEXPECTED | INTERNAL_TIMEOUT | UNKNOWN);
    match party {
        Party::Bank => again || bank_meaning(code) != BankMeaning::Again,
        Party::Supplier => {
            // Of an unknown outcome, and of a question about an account.
            let others = matches!(code, "2226" | "2239" | SERVICE_NOT_FOUND);
            again || others || vend_meaning(code) != VendMeaning::Unknown
        }
        // They answer by status.
        Party::Desk | Party::Channel => true,
    }
}

/// What clients are told of funds that were refused for this reason: a code of the tables, never a
/// transport's status nor a word of the source's own.
#[must_use]
pub fn told_of_funds(reason: &str) -> &str {
    match reason {
        UNEXPECTED | INSUFFICIENT_FUNDS | "2020" | "2030" | ABOVE_MAX | BELOW_MIN | INVALID_FEE
        | INTERNAL_TIMEOUT | SOURCE_BLACKLISTED | "2080" | UNKNOWN | BAD_FORMAT => reason,
        ASKED_TOO_OFTEN => INTERNAL_TIMEOUT,
        _ => UNKNOWN,
    }
}

/// What clients are told of goods that were refused for this reason, as [`told_of_funds`].
#[must_use]
pub fn told_of_goods(reason: &str) -> &str {
    match reason {
        SUPPLIER_COULD_NOT
        | "2210"
        | "2213"
        | "2214"
        | VOLUMES_EXCEEDED
        | "2226"
        | "2236"
        | "2239"
        | "2240"
        | TOO_MANY_TRANSACTIONS => reason,
        ASKED_TOO_OFTEN => VOLUMES_EXCEEDED,
        _ => SUPPLIER_COULD_NOT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_is_never_a_refusal() {
        for code in ["", "9999", "2239", "2226", "0000 ", "OK"] {
            assert_eq!(vend_meaning(code), VendMeaning::Unknown, "{code}");
        }
        for code in ["", "9999", "2060", "2090", "0001"] {
            assert_eq!(bank_meaning(code), BankMeaning::Again, "{code}");
        }
    }

    #[test]
    fn clients_are_told_codes_of_the_tables_only() {
        for (reason, funds, goods) in [
            ("2010", "2010", "2201"),
            ("2213", "2090", "2213"),
            ("2225", "2090", "2225"),
            ("2242", "2090", "2242"),
            (ASKED_TOO_OFTEN, "2060", "2225"),
            ("429", "2090", "2201"),
            ("VAS_BARRED", "2090", "2201"),
            ("0000", "2090", "2201"),
        ] {
            assert_eq!((told_of_funds(reason), told_of_goods(reason)), (funds, goods), "{reason}");
        }
    }

    #[test]
    fn pending_is_looked_up_and_never_vended_again() {
        for code in ["2236", "2240"] {
            assert_eq!(vend_meaning(code), VendMeaning::Pending);
        }
    }
}
