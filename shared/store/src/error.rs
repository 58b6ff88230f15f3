//! What can go wrong with Postgres, sorted by what to do about it.

/// A store's failure. Its text never holds a row's values: Postgres' own detail line would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Locks, disk, fail-over, no connection, an unknown COMMIT: the same again is safe.
    #[error("postgres is not available ({cause})")]
    Retry {
        /// SQLSTATE and message, or the transport's word.
        cause: String,
    },
    /// SQLSTATE class 22, 23 or P0: what was sent is refused, and would be again.
    #[error("postgres refused ({sqlstate}: {cause})")]
    Refused {
        /// Five characters.
        sqlstate: String,
        /// The message without its detail.
        cause: String,
    },
    /// SQLSTATE class 42: a function, table or column that this build needs is not there, or this user
    /// has no right to it.
    #[error("the database is not as this build needs it ({sqlstate}: {cause})")]
    Unfit {
        /// Five characters.
        sqlstate: String,
        /// The message, which names it.
        cause: String,
    },
    /// A row cannot be decoded or unsealed.
    #[error("a row is unreadable: {0}")]
    Unreadable(String),
    /// The schema is not this build's.
    #[error("{0}")]
    Schema(String),
}

impl From<crate::SealError> for StoreError {
    fn from(error: crate::SealError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl StoreError {
    /// What the caller must not ask for: the same again would be refused again.
    pub(crate) fn misuse(cause: &str) -> Self {
        Self::Refused { sqlstate: "22023".to_owned(), cause: cause.to_owned() }
    }

    /// Why, without what it means.
    pub(crate) fn cause(self) -> String {
        match self {
            Self::Retry { cause } => cause,
            Self::Refused { .. } | Self::Unfit { .. } | Self::Unreadable(_) | Self::Schema(_) => {
                self.to_string()
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "sqlx adds variants in minor versions")]
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::ColumnDecode { index, .. } => {
                    Self::Unreadable(format!("column {index}"))
                }
                sqlx::Error::ColumnNotFound(name) => Self::Unreadable(format!("column {name}")),
                other => Self::Retry { cause: transport_word(other).to_owned() },
            };
        };
        let sqlstate = database.code().map(std::borrow::Cow::into_owned).unwrap_or_default();
        let cause = database.message().to_owned();
        match sqlstate.get(..2) {
            // Data exceptions quote the value.
            Some("22") => Self::Refused { sqlstate, cause: without_quoted(&cause) },
            Some("42") => Self::Unfit { sqlstate, cause },
            Some("23" | "P0") => Self::Refused { sqlstate, cause },
            _ => Self::Retry { cause: format!("{sqlstate}: {cause}") },
        }
    }
}

/// True when the connection is of no use any more: broken, its server going away, or a standby.
pub(crate) fn spoils_connection(error: &sqlx::Error) -> bool {
    let Some(database) = error.as_database_error() else { return true };
    let code = database.code().unwrap_or_default();
    code.starts_with("08") || code.starts_with("57P") || code == "25006"
}

fn without_quoted(text: &str) -> String {
    text.split('"').step_by(2).collect::<Vec<_>>().join("…")
}

#[expect(clippy::wildcard_enum_match_arm, reason = "sqlx adds variants in minor versions")]
fn transport_word(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Io(_) => "connection lost",
        sqlx::Error::Tls(_) => "tls failed",
        sqlx::Error::Configuration(_) => "the url is not usable",
        _ => "protocol error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_value_never_reaches_the_text() {
        let text = without_quoted("invalid input syntax for type integer: \"27821234567\"");
        assert_eq!(text, "invalid input syntax for type integer: …");
    }
}
