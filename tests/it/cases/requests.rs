//! What clients send and operators import.
