//! New migrations are noticed by cargo.
fn main() {
    println!("cargo:rerun-if-changed=../../schemas/database");
}
