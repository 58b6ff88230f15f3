//! What kinds of goods there are: a closed list, because it decides whom a target may be. And by what
//! channels they are sold.

/// By what a buyer may come to a client (`channelId`): 1 POS, 2 Internet, 3 Mobile, 4 ATM, 6 SMS,
/// 7 USSD, 8 `WhatsApp`.
pub const CHANNEL_IDS: [i32; 7] = [1, 2, 3, 4, 6, 7, 8];

/// The type of a product (`productTypeName`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProductType {
    /// For a phone.
    Airtime,
    /// A bundle for a phone.
    Data,
    /// A ticket, told to a phone.
    Lotto,
    /// A code, told to a phone.
    Voucher,
    /// A token for a meter.
    Electricity,
    /// A token for a meter.
    Water,
    /// A smart card's subscription.
    Television,
    /// A bill's account.
    Bill,
    /// What a merchant sells by card payment.
    Payment,
}

impl ProductType {
    /// Every type.
    pub const ALL: [Self; 9] = [
        Self::Airtime,
        Self::Data,
        Self::Lotto,
        Self::Voucher,
        Self::Electricity,
        Self::Water,
        Self::Television,
        Self::Bill,
        Self::Payment,
    ];

    /// The word in files and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Airtime => "airtime",
            Self::Data => "data",
            Self::Lotto => "lotto",
            Self::Voucher => "voucher",
            Self::Electricity => "electricity",
            Self::Water => "water",
            Self::Television => "television",
            Self::Bill => "bill",
            Self::Payment => "payment",
        }
    }

    /// The type of a word, spelt exactly so.
    #[must_use]
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == word)
    }

    /// Whether a purchase's target is a phone that may get a message. The number of a meter, a smart
    /// card or an account may be a stranger's phone.
    #[must_use]
    pub const fn targets_a_phone(self) -> bool {
        match self {
            Self::Airtime | Self::Data | Self::Lotto | Self::Voucher => true,
            Self::Electricity | Self::Water | Self::Television | Self::Bill | Self::Payment => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_type_targets_nobody() {
        for word in ["Electricity", "Bill", "prepaid electricity", "tv", "Airtime", "", "airtime "]
        {
            assert_eq!(ProductType::from_name(word), None, "{word}");
        }
        for one in ProductType::ALL {
            assert_eq!(ProductType::from_name(one.name()), Some(one));
        }
    }
}
