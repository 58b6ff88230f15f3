//! What other parties answer and tell us.
